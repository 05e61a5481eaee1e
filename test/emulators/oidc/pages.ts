import type { EmulatedPerson } from './provider.ts';

const STYLE = `:root{color-scheme:light dark}body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;
font:16px/1.5 system-ui,sans-serif;background:light-dark(#eef1ee,#141815);color:light-dark(#1c241e,#eaf0ec)}
main{width:min(26rem,calc(100vw - 2rem));padding:2rem 0}h1{font-size:1.3rem;margin:0 0 .25rem}p{margin:0 0 1.25rem;color:light-dark(#58655c,#a3b1a8)}
form{display:grid;gap:.6rem}button{font:inherit;text-align:left;padding:.8rem 1rem;border-radius:.7rem;cursor:pointer;
border:1px solid light-dark(#d3dbd5,#303a33);background:light-dark(#fff,#1c221e);color:inherit}button:hover{border-color:#2f8a55}
button b{display:block}button span{font-size:.875rem;color:light-dark(#58655c,#a3b1a8)}button.none{text-align:center;background:none}`;

export function loginPage(title: string, people: readonly EmulatedPerson[]): string {
  const buttons = people.map(({ sub, label, note, claims }) => {
    const name = label ?? String(claims['name'] ?? sub);
    const line = note === undefined ? '' : `<span>${escapeText(note)}</span>`;
    return `<button name="sub" value="${escapeText(sub)}"><b>${escapeText(name)}</b>${line}</button>`;
  });
  return page(
    title,
    `<h1>${escapeText(title)}</h1><p>Who are you?</p><form method="post">${buttons.join('')}<button class="none" name="cancel" value="yes">Cancel</button></form>`,
  );
}

export function messagePage(title: string, text: string): string {
  return page(title, `<h1>${escapeText(title)}</h1><p>${escapeText(text)}</p>`);
}

/** Sends its form by itself. */
export function submittingPage(title: string, form: string): string {
  const script =
    '<script>document.forms[0].submit()</script><noscript><button form="op.logoutForm">Go on</button></noscript>';
  return page(title, `<h1>${escapeText(title)}</h1>${form}${script}`);
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeText(title)}</title><style>${STYLE}</style></head><body><main>${body}</main></body></html>`;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}
