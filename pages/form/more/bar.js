// What the visitor sees of us: a bar at the foot of the page, and one dialog. Both live in a shadow root
// of their own, outside of the body that the application may take for its own.

/** @typedef {{ [key: string]: string }} Words */

/** English is built in: it is said where no other language can be fetched. @type {Words} */
const SAY = {
  announced: '{service} will be unavailable from {start} to {end}. What you type is kept on this device meanwhile.',
  announced_open: '{service} will be unavailable from {start}. What you type is kept on this device meanwhile.',
  closed: '{service} is unavailable until about {end}.',
  closed_open: '{service} is unavailable. We do not know yet until when.',
  kept: 'You can keep writing: your answers stay on this device. They cannot be sent yet.',
  unkept: 'This browser keeps nothing on this device. Leave this page open.',
  opened: '{service} is available again. You can send your answers now.',
  sign_in: '{service} is available again, but you may have to sign in first. Do so in another tab, then send your answers here.',
  dismiss: 'Dismiss',
  not_sent: 'Not sent',
  on_device: 'Your answers are saved on this device.',
  on_page: 'Your answers are still on this page. Leave it open.',
  save_note: 'Save for later keeps them sealed until {service} is back. Then you send them yourself.',
  save: 'Save for later',
  edit: 'Keep editing',
  saving: 'Saving…',
  secret: 'This form asks for a password, a code or payment details. Those are never kept.',
  not_here: 'Forms of {service} cannot be saved for later.',
  too_large: 'This is too large to be saved for later. Chosen files have to be chosen again.',
  quota: 'You have saved as much as this browser may. Send or delete something first.',
  failed: 'It could not be saved just now. Please try again.',
  put_back: 'Answers put back: {count}',
  put_some: 'Answers put back: {count} of {all}',
  undo: 'Undo',
  offer: 'Answers that were typed here before are still kept.',
  put: 'Put them back',
  remove: 'Delete them',
  left: 'Without a field on this page:',
  files: 'Please choose again: {names}',
};
const LANGS = ['de', 'fr', 'es', 'pt', 'ja', 'ar'];

const SHEET = `
:host { all: initial; display: block }
:host([hidden]) { display: none }
* { box-sizing: border-box }
.all { --sheet: #fffefb; --ink: #1d2a2e; --line: #8a9598; --accent: #0b5c66; --on: #fff; color-scheme: light dark;
  position: fixed; inset-block-end: 0; inset-inline: 0; z-index: 2147483647;
  display: flex; flex-direction: column; max-block-size: 50vh;
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; color: var(--ink) }
@media (prefers-color-scheme: dark) {
  .all { --sheet: #1a2327; --ink: #e9e5dc; --line: #6f7f85; --accent: #85cdd6; --on: #0d2024 } }
.row { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding: .7rem max(1rem, calc(50% - 32rem));
  background: var(--sheet); border-block-start: 1px solid var(--line); overflow: auto }
.row:empty, .row[hidden] { display: none }
.row.state { border-block-start: .25rem solid var(--accent) }
.row p { margin: 0; flex: 1 1 18rem; overflow-wrap: anywhere; white-space: pre-line }
.do { display: flex; flex-wrap: wrap; gap: .5rem }
button { font: inherit; font-weight: 600; min-block-size: 2.75rem; padding: .35rem 1rem; cursor: pointer;
  border: 2px solid var(--accent); border-radius: .4rem; background: var(--accent); color: var(--on) }
button.quiet { background: none; color: var(--accent) }
button:disabled { opacity: .6; cursor: default }
:focus-visible { outline: .2rem solid var(--ink); outline-offset: .15rem }
dialog { color: inherit; background: var(--sheet); border: 1px solid var(--line); border-block-start: .4rem solid var(--accent);
  border-radius: .5rem; padding: 1.25rem 1.5rem; inline-size: min(32rem, calc(100vw - 2rem)); overflow-wrap: anywhere }
dialog::backdrop { background: rgb(10 18 20 / .6) }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .6rem }
dialog p { margin: 0 0 .8rem }
.problem { font-weight: 600 }
.problem:empty { display: none }
@media (prefers-reduced-motion: no-preference) { .row { animation: up .2s ease-out } @keyframes up { from { transform: translateY(100%) } } }
@media print { :host { display: none } }
@media (forced-colors: active) { button, dialog, .row { border-color: ButtonText } }
`;

/** @type {Words} */
let say = SAY;
let lang = 'en';
/** The languages' texts are fetched once, when there is something to say. @type {Promise<void> | undefined} */
let spoken;
/** @type {{ host: HTMLElement, all: HTMLElement, state: HTMLElement, answers: HTMLElement } | undefined} */
let bar;

/** @param {string} key @param {Record<string, string | number>} [values] */
const text = (key, values = {}) => say[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));

/** The language of the page if it is one of ours, else the visitor's. */
const speak = () => (spoken ||= (async () => {
  const wanted = [document.documentElement.lang, ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase());
  const known = wanted.find((tag) => tag === 'en' || LANGS.includes(tag)) || 'en';
  if (known === 'en' || im.how) return;
  try {
    const answer = await fetch(new URL(`form.${known}.json`, im.source), { signal: AbortSignal.timeout(4000) });
    if (answer.ok) [say, lang] = [{ ...SAY, ...(await answer.json()) }, known];
  } catch {
    // English says it too.
  }
})());

/** A moment in the visitor's zone and habits; the day only if it is another one. @param {string} at */
const when = (at) => {
  const date = new Date(Date.parse(at) - im.skew);
  const locale = navigator.languages.find((tag) => tag.slice(0, 2) === lang) || lang;
  const near = Math.abs(+date - Date.now()) < 12 * HOUR || date.toDateString() === new Date().toDateString();
  return date.toLocaleString(locale, near ? { timeStyle: 'short' } : { dateStyle: 'full', timeStyle: 'short' });
};

/** @param {string} tag @param {Record<string, any>} values @param {(Node | string)[]} inside @returns {any} */
const make = (tag, values = {}, ...inside) => {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'function') el.addEventListener(name, value);
    else el.setAttribute(name, value);
  }
  el.append(...inside);
  return el;
};

/** @param {string} key @param {() => void} click @param {string} [look] */
const button = (key, click, look = '') => make('button', { type: 'button', class: look, click }, text(key));

/** @param {'state' | 'answers'} which */
const dismiss = (which) => button('dismiss', () => hush(which), 'quiet');

/** @param {string} service @param {string | null} [end] */
const closedUntil = (service, end) => (end && away(end) > 0 ? text('closed', { service, end: when(end) }) : text('closed_open', { service }));

const build = () => {
  if (bar) {
    // The application may have replaced its whole document.
    if (!bar.host.isConnected) document.documentElement.append(bar.host);
    return bar;
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(SHEET);
  const state = make('div', { class: 'row state', hidden: '' }), answers = make('div', { class: 'row', hidden: '' });
  const all = make('div', { class: 'all', lang, dir: lang === 'ar' ? 'rtl' : 'ltr' }, answers, state);
  const host = make('intermission-bar');
  const root = host.attachShadow({ mode: 'open' });
  root.adoptedStyleSheets = [sheet];
  root.append(all);
  document.documentElement.append(host);
  im.host = host;
  // The page is longer by as much, so that its end can be scrolled from behind the bar.
  new ResizeObserver(() => { host.style.blockSize = all.offsetHeight + 'px'; }).observe(all);
  return (bar = { host, all, state, answers });
};

/** Shows a row of the bar. The status is there before its words are, so that they are read out.
 * @param {'state' | 'answers'} which @param {string} words @param {HTMLElement[]} [does] */
const tellIn = (which, words, does = []) => {
  const row = build()[which];
  let status = row.querySelector('p');
  if (!status) {
    status = /** @type {HTMLElement} */ (make('p', { role: 'status' }));
    row.append(status, make('div', { class: 'do' }));
  }
  row.hidden = false;
  const at = row.lastElementChild;
  if (at && !(at.contains(/** @type {ShadowRoot} */ (row.getRootNode()).activeElement))) at.replaceChildren(...does);
  const p = status;
  if (p.textContent !== words) setTimeout(() => { p.textContent = words; }, 60);
};

/** @param {'state' | 'answers'} which */
const hush = (which) => {
  if (!bar) return;
  bar[which].replaceChildren();
  bar[which].hidden = true;
};

/** Whatever has the focus is not left behind the bar (WCAG 2.2, 2.4.11). @param {any} el */
const uncover = (el) => {
  if (!bar || !(el instanceof Element) || bar.all.contains(el)) return;
  const over = el.getBoundingClientRect().bottom - bar.all.getBoundingClientRect().top;
  if (over > 0 && bar.all.offsetHeight) scrollBy({ top: over + 12, behavior: 'instant' });
};

const shut = () => bar?.all.querySelector('dialog')?.close();

/** The only thing that interrupts: what was to be sent was not.
 * @param {string[]} lines @param {((tell: (key: string) => void) => Promise<void>) | null} later */
const interrupt = (lines, later) => {
  const { all } = build();
  if (all.querySelector('dialog')) return;
  const problem = make('p', { class: 'problem', role: 'status' });
  const edit = button('edit', shut, later ? 'quiet' : '');
  const keepIt = later && button('save', async () => {
    keepIt.disabled = true;
    problem.textContent = text('saving');
    await later((key) => { problem.textContent = text(key); });
    keepIt.disabled = false;
  });
  const dialog = make(
    'dialog', { role: 'alertdialog', 'aria-labelledby': 't', 'aria-describedby': 'd', close: () => dialog.remove() },
    make('h2', { id: 't' }, text('not_sent')),
    make('div', { id: 'd' }, ...lines.map((line) => make('p', {}, line))),
    problem,
    make('div', { class: 'do' }, ...(keepIt ? [keepIt] : []), edit),
  );
  all.append(dialog);
  dialog.showModal();
  (keepIt || edit).focus();
};

addEventListener('focusin', (event) => {
  // The path is empty once the event was heard.
  const [el] = event.composedPath();
  requestAnimationFrame(() => uncover(el));
}, { capture: true, signal: controller.signal });
