import { choicePage, failurePage, loggedOutPage, logoutPage, type PageFrame } from '../../src/login/pages.ts';

const FRAME: PageFrame = { nonce: 'bm9uY2Vub25jZW5vbmNlbg', requestId: 'ydqn15vbxje98tzb' };
const retryAddress = '/.latchgate/login?rd=%2Fsuperset%2Fwelcome&login=staff';
const switchAddress = '/.latchgate/logout?login=staff';
const logins = [
  { label: 'Example Corp', address: '/.latchgate/login?rd=%2F&login=staff' },
  { label: 'Partners & contractors', address: '/.latchgate/login?rd=%2F&login=partners' },
];
const byEmail = { action: '/.latchgate/login', returnTo: '/', unknown: false };

/** Every page that people see, by the name of its golden file. */
export const EXAMPLES: Readonly<Record<string, (frame: PageFrame) => string>> = {
  'denied-by-rule': (frame) =>
    failurePage(
      {
        code: 'denied_by_rule',
        message: 'Your BI access is suspended. Ask bi-help@example.com.',
        retryAddress,
        switchAddress,
      },
      frame,
    ),
  'no-access': (frame) => failurePage({ code: 'no_access', retryAddress, switchAddress }, frame),
  'provider-unavailable': (frame) => failurePage({ code: 'provider_unavailable', retryAddress }, frame),
  'target-pending': (frame) => failurePage({ code: 'target_pending', retryAddress }, frame),
  'login-loop': (frame) => failurePage({ code: 'login_loop', retryAddress }, frame),
  'not-found': (frame) => failurePage({ code: 'route_unknown' }, frame),
  choice: (frame) => choicePage({ logins }, frame),
  'choice-by-email': (frame) => choicePage({ logins, byEmail }, frame),
  'choice-unknown-email': (frame) => choicePage({ logins, byEmail: { ...byEmail, unknown: true } }, frame),
  logout: (frame) => logoutPage({ action: '/.latchgate/logout', who: 'Alice Adams' }, frame),
  'logged-out': (frame) => loggedOutPage({ loginAddress: '/.latchgate/login?rd=%2F', ended: true }, frame),
  'not-logged-in': (frame) => loggedOutPage({ loginAddress: '/.latchgate/login?rd=%2F', ended: false }, frame),
};

export function renderExample(name: string): string {
  const render = EXAMPLES[name];
  if (render === undefined) throw new Error(`no example called ${name}`);
  return render(FRAME);
}
