/** The whole style of the operators' page: system fonts, light and dark, from 320 px up. */
export const STYLE = `
:root{--page:#f3f4f7;--card:#fff;--line:#e1e4ea;--edge:#878fa0;--text:#1b2230;--soft:#586174;--main:#2f5bd7;--on-main:#fff;--tint:#e8eefc;--stop:#b3261e;--stop-tint:#fbe9e7;--wait:#7d5300;--wait-tint:#fdf3dc;--done:#17703f;--done-tint:#e3f4ea;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--page:#11141b;--card:#1a1f2a;--line:#2e3544;--edge:#717c92;--text:#eceff6;--soft:#a3adc0;--main:#8fb0ff;--on-main:#0d1730;--tint:#222d49;--stop:#ff9d94;--stop-tint:#3a2020;--wait:#f0c060;--wait-tint:#352a14;--done:#6fd3a0;--done-tint:#17301f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Ubuntu,"Helvetica Neue",Arial,sans-serif}
a{color:var(--main);text-underline-offset:.15em}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875em}
.skip{position:absolute;left:-100vw;padding:.5rem 1rem;background:var(--card);border-radius:0 0 .5rem 0;z-index:2}
.skip:focus{left:0;top:0}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
.top{background:var(--card);border-bottom:1px solid var(--line)}
.bar,main,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
.bar{display:flex;flex-wrap:wrap;align-items:center;gap:0 1.25rem}
.brand{display:flex;align-items:center;gap:.5rem;padding:.75rem 0;color:var(--text);font-weight:650;letter-spacing:-.01em;text-decoration:none}
.brand svg{width:1.375rem;height:1.375rem;fill:none;stroke:var(--main);stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.who{display:flex;align-items:center;gap:.625rem;margin-left:auto;padding:.5rem 0;font-size:.875rem;min-width:0}
.who strong{overflow-wrap:anywhere}
nav ul.menu{display:flex;flex-wrap:wrap;gap:.125rem;list-style:none;margin:0 -.625rem;padding:0 0 .5rem}
nav{flex-basis:100%}
.menu a{display:block;padding:.3125rem .625rem;border-radius:.5rem;color:var(--soft);font-weight:550;text-decoration:none}
.menu a:hover{color:var(--text);background:var(--page)}
.menu a[aria-current]{background:var(--tint);color:var(--main)}
.count{display:inline-block;min-width:1.25rem;margin-left:.25rem;padding:0 .375rem;border-radius:1rem;background:var(--wait-tint);color:var(--wait);font-size:.8125rem;font-weight:650;text-align:center}
main{padding-top:1.75rem;padding-bottom:2rem}
h1{margin:0 0 .25rem;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{margin:0 0 .75rem;font-size:1.125rem;line-height:1.3;font-weight:650}
h3{margin:1rem 0 .375rem;font-size:1rem}
p{margin:0 0 .75rem;overflow-wrap:anywhere}
.lead{color:var(--soft);margin:0 0 1.25rem}
.soft{color:var(--soft)}
.card{margin:1.25rem 0 0;padding:1.25rem;background:var(--card);border:1px solid var(--line);border-radius:.875rem;min-width:0}
.card>:last-child{margin-bottom:0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1.25rem;margin-top:1.25rem}
.grid>.card{margin:0}
.scroll{overflow-x:auto;margin:0 -1.25rem;padding:0 1.25rem}
table{width:100%;border-collapse:collapse;font-size:.9375rem}
caption{text-align:left;color:var(--soft);padding:0 0 .5rem}
th{padding:.375rem .75rem .375rem 0;color:var(--soft);font-size:.8125rem;font-weight:600;text-align:left;white-space:nowrap;vertical-align:bottom}
td,tbody th{padding:.5rem .75rem .5rem 0;border-top:1px solid var(--line);vertical-align:top;text-align:left;overflow-wrap:break-word;min-width:4.5rem}
tbody th{color:inherit;font-size:inherit;font-weight:500;white-space:normal}
td:last-child,th:last-child{padding-right:0}
table time,.nowrap{white-space:nowrap}
.values{display:block;min-width:14rem;overflow-wrap:anywhere}
td form{margin:0}
.number{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);gap:.375rem 1.25rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.tag{display:inline-block;padding:.0625rem .5rem;border-radius:1rem;background:var(--tint);color:var(--main);font-size:.8125rem;font-weight:600;white-space:nowrap}
.tag.stop{background:var(--stop-tint);color:var(--stop)}.tag.wait{background:var(--wait-tint);color:var(--wait)}.tag.done{background:var(--done-tint);color:var(--done)}.tag.plain{background:var(--page);color:var(--soft)}
.note{margin:0 0 1.25rem;padding:.75rem 1rem;border-radius:.625rem;background:var(--done-tint);color:var(--done)}
.note.stop{background:var(--stop-tint);color:var(--stop)}
.note code{user-select:all}
.search{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;margin:0}
.field{flex:1 1 12rem;min-width:0}
.field.wide{flex-basis:100%}
label{display:block;margin:0 0 .25rem;color:var(--soft);font-size:.875rem;font-weight:550}
input,select,textarea{width:100%;padding:.5rem .75rem;border:1px solid var(--edge);border-radius:.5rem;background:var(--page);color:var(--text);font:inherit}
textarea{min-height:11rem;resize:vertical;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875rem}
.button,.quiet,.danger{display:inline-block;padding:.5rem 1rem;border:1px solid transparent;border-radius:.5rem;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
.button{background:var(--main);color:var(--on-main)}.button:hover{filter:brightness(1.08)}
.quiet{background:none;border-color:var(--edge);color:var(--text)}.quiet:hover{border-color:var(--text)}
.danger{background:none;border-color:var(--stop);color:var(--stop)}.danger:hover{background:var(--stop-tint)}
.small{padding:.125rem .625rem;font-size:.875rem}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;align-items:flex-start;margin:1.25rem 0 0}
.actions form{margin:0}
details.ask{flex:0 1 auto;max-width:34rem}
details.ask>summary{list-style:none}
details.ask>summary::-webkit-details-marker{display:none}
details.ask[open]{padding:1rem;border:1px solid var(--line);border-radius:.75rem;background:var(--card)}
details.ask[open]>summary{margin:0 0 .75rem}
summary{cursor:pointer}
pre{margin:0;padding:1rem;overflow:auto;max-height:40rem;border:1px solid var(--line);border-radius:.625rem;background:var(--page);line-height:1.45}
.list{list-style:none;margin:0;padding:0}
.list>li{padding:.5rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.list>li:first-child{border-top:0;padding-top:0}
.plainlist{margin:.25rem 0 0;padding-left:1.25rem}
.big{font-size:1.75rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.chart{display:block;width:100%;height:auto;margin:.25rem 0 .75rem}
.chart .grid-line{stroke:var(--line)}.chart text{fill:var(--soft);font-size:11px}
.chart .a{fill:var(--main)}.chart .b{fill:var(--stop)}.chart .c{fill:var(--wait)}
.key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:0 0 .5rem;padding:0;font-size:.875rem;color:var(--soft)}
.key li{display:flex;align-items:center;gap:.375rem}
.key svg{width:.75rem;height:.75rem;flex:none}
.key .a{fill:var(--main)}.key .b{fill:var(--stop)}.key .c{fill:var(--wait)}
.pages{display:flex;gap:.75rem;margin:1rem 0 0}
footer{padding-bottom:2rem;color:var(--soft);font-size:.8125rem}
footer code{user-select:all}
@media (max-width:40rem){.chart text{font-size:22px}.stacks,.stacks tbody,.stacks tr{display:block}.stacks thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.stacks tr{padding:.625rem 0;border-top:1px solid var(--line)}.stacks tr:first-child{border-top:0;padding-top:0}.stacks td,.stacks tbody th{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:.75rem;padding:.125rem 0;border:0;overflow-wrap:anywhere;justify-items:start}.stacks tbody th{display:block;font-weight:600}.stacks td::before{content:attr(data-label);color:var(--soft);font-size:.875rem}.values{min-width:0}table time{white-space:normal}.bar,main,footer{padding-inline:1rem}.card{padding:1rem}.scroll{margin:0 -1rem;padding:0 1rem}dl{grid-template-columns:1fr;gap:0}dt{font-size:.875rem}dd{margin:0 0 .625rem}h1{font-size:1.375rem}.who{margin-left:0;flex-basis:100%;padding:0 0 .625rem}}
@media (prefers-contrast:more){:root{--line:currentColor;--edge:currentColor;--soft:var(--text)}}
`;
