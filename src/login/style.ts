/** The whole style of the gateway's pages: system fonts, light and dark, from 320 px up. */
export const STYLE = `
:root{--page:#f3f4f7;--card:#fff;--line:#e1e4ea;--edge:#878fa0;--text:#1b2230;--soft:#586174;--main:#2f5bd7;--on-main:#fff;--stop:#b3261e;--wait:#9a6700;--done:#1a7f4b;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--page:#11141b;--card:#1a1f2a;--line:#2e3544;--edge:#717c92;--text:#eceff6;--soft:#a3adc0;--main:#8fb0ff;--on-main:#0d1730;--stop:#ff9d94;--wait:#f0c060;--done:#6fd3a0}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;align-items:center;justify-content:center;padding:1.25rem;background:var(--page);color:var(--text);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Ubuntu,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:30rem;padding:2.25rem 2rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;box-shadow:0 1px 2px rgb(15 23 42/.05),0 12px 32px rgb(15 23 42/.07)}
.sign{width:2.5rem;height:2.5rem;margin:0 0 1rem -.125rem;fill:none;stroke:var(--main);stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.stop .sign{stroke:var(--stop)}.wait .sign{stroke:var(--wait)}.done .sign{stroke:var(--done)}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
p{margin:0;overflow-wrap:anywhere}
.lead{color:var(--soft)}.lead strong{color:var(--text);font-weight:600}
.actions{display:flex;flex-wrap:wrap;align-items:center;gap:.75rem;margin:1.5rem 0 0}
.button,.quiet{display:inline-block;padding:.625rem 1.125rem;border:1px solid transparent;border-radius:.625rem;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
.button{background:var(--main);color:var(--on-main)}.button:hover{filter:brightness(1.08)}
.quiet{background:none;border-color:var(--edge);color:var(--text)}.quiet:hover{border-color:var(--text)}
a:focus-visible,button:focus-visible,input:focus-visible{outline:3px solid var(--main);outline-offset:2px}
.choices{list-style:none;margin:1.25rem 0 0;padding:0;display:grid;gap:.625rem}
.choice{display:flex;align-items:center;justify-content:space-between;gap:1rem;padding:.875rem 1rem;border:1px solid var(--edge);border-radius:.75rem;color:var(--text);font-weight:600;text-decoration:none;overflow-wrap:anywhere}
.choice::after{content:"";flex:none;width:.5rem;height:.5rem;border:solid var(--soft);border-width:2px 2px 0 0;transform:rotate(45deg)}
.choice:hover{border-color:var(--main)}.choice:hover::after{border-color:var(--main)}
.email{margin:1.5rem 0 0;padding:1.25rem 0 0;border-top:1px solid var(--line)}
.email label{display:block;margin:0 0 .5rem;color:var(--soft)}
.row{display:flex;flex-wrap:wrap;gap:.625rem}
.row input{flex:1 1 11rem;min-width:0;padding:.625rem .875rem;border:1px solid var(--edge);border-radius:.625rem;background:var(--page);color:var(--text);font:inherit}
.row input[aria-invalid]{border-color:var(--stop)}
.hint{margin:.625rem 0 0;color:var(--stop)}
.facts{display:grid;gap:.25rem;margin:1.75rem 0 0;padding:1rem 0 0;border-top:1px solid var(--line);font-size:.875rem;color:var(--soft)}
.facts div{display:flex;flex-wrap:wrap;gap:0 .75rem}
.facts dt{min-width:4.5rem}.facts dd{margin:0;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;user-select:all}
@media (max-width:24rem){body{padding:.75rem;align-items:flex-start}main{padding:1.5rem 1.25rem}.actions>*,.actions .button,.actions .quiet,.row .button{width:100%;padding-inline:.75rem;text-align:center}.actions>form{padding:0}}
@media (prefers-contrast:more){:root{--line:currentColor;--edge:currentColor;--soft:var(--text)}}
`;
