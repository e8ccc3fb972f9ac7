// The order of things: guard, listen, put back, keep, watch. Nothing here may break the page that it is in.

// Typing is kept after this pause in milliseconds.
const PAUSE_MS = 400;
const LOGOUT = /\/(log|sign)[-_]?(out|off)\b|abmelden|deconnexion/i;

/** What a field held before the visitor touched it. @type {WeakMap<Element, Value>} */
const first = new WeakMap();
/** @type {WeakSet<Element>} */
const adopted = new WeakSet();
let pause = 0, restored = false;

/** Loads a part, which gets what the parts share, and what another one has for it. @param {string} name @param {object} given */
const part = (name, given) => import(im.source.replace('form.js', name)).then((module) => module.default(shared, given));

/** @type {Promise<More> | undefined} */
let loaded;
/** Does something with the rest of us, or without it. @param {(they: More) => unknown} then @param {() => void} [without] */
const more = (then, without) => {
  loaded ||= part('more.js', {});
  loaded.then(then).catch(() => without?.());
};

/** The kill switch: nothing of us stays but this. */
const quit = () => {
  im.stopped = true;
  rest();
  yieldAll();
  controller.abort();
  if (HTMLFormElement.prototype.submit === patched) HTMLFormElement.prototype.submit = nativeSubmit;
  clearTimeout(pause);
  forget();
  im.host?.remove();
};

/** @this {HTMLFormElement} */
function patched() {
  if (!onSend(this, null, true)) nativeSubmit.call(this);
}

/** @param {any} el */
const touch = (el) => {
  const form = formOf(el);
  if (!mayKeep(el) || isLeftAlone(form)) return;
  touched.add(el);
  // A choice is one of all its buttons.
  if (el.type === 'radio') for (const other of /** @type {Iterable<any>} */ (below(el.getRootNode()))) if (other.name === el.name && formOf(other) === form) touched.add(other);
  dirty.add(form);
  sent.delete(form);
  if (im.mode === 'closed' && form) stale.add(form);
  clearTimeout(pause);
  pause = setTimeout(keepNow, PAUSE_MS);
};

/** What was saved for later and is wanted in this page: its id. The server may have put it in already. */
const wanted = () => /^#im-refill=([\w-]+)/.exec(location.hash)?.[1] || attribute(document.querySelector('[data-im-refill]'), 'data-im-refill');

const keepNow = () => {
  clearTimeout(pause);
  pause = 0;
  if (im.stopped) return;
  const was = im.unkept;
  save();
  if (was !== im.unkept && im.told && im.mode === 'closed') hear(im.told);
};

/** @param {Event} event */
const onInput = (event) => {
  if (im.placing) return;
  let el = /** @type {any} */ (event.composedPath()[0]);
  if (!(el instanceof HTMLElement)) return;
  while (el.isContentEditable && el.parentElement?.isContentEditable) el = el.parentElement;
  touch(el);
};

/** Remembers how fields are served. Editors tell of changes in a way of their own. */
const adopt = () => {
  for (const el of below(document)) {
    // What was typed before this first look is the visitor's, not the page's.
    // Neither is what the server put back into its form.
    if (!first.has(el) && !touched.has(el)) first.set(el, attribute(formOf(el), FILLED) === null ? read(el) : '');
    const editor = !adopted.has(el) && editorOf(el);
    if (!editor) continue;
    adopted.add(el);
    first.set(el, editor.get());
    editor.on(() => { if (!im.placing && !im.stopped && !same(editor.get(), first.get(el) ?? '')) touch(el); });
  }
};

const restore = () => {
  if (restored || im.stopped) return;
  restored = true;
  if (LOGOUT.test(location.pathname)) forget();
  adopt();
  const editors = [500, 2000, 5000].map((ms) => setTimeout(adopt, ms));
  controller.signal.addEventListener('abort', () => editors.forEach(clearTimeout));
  if (keysIn(inTab).length || keysIn(onDevice).length || wanted()) more((they) => they.bringBack());
  if (groups().size) watch();
  else addEventListener('focusin', watch, { once: true, signal: controller.signal });
};

const listen = () => {
  const how = { capture: true, signal: controller.signal };
  /** @param {string} type @param {(event: any) => void} heard @param {EventTarget} [at] */
  const on = (type, heard, at = window) => at.addEventListener(type, heard, how);
  on('input', onInput);
  on('change', onInput);
  on('submit', (event) => {
    const form = event.composedPath()[0];
    if (!(form instanceof HTMLFormElement)) return;
    if (onSend(form, event.submitter, false)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else {
      setTimeout((/** @type {number} */ at) => { if (event.defaultPrevented) afterSend(form, at); }, AFTER_MS, Date.now());
    }
  });
  on('reset', (event) => { if (event.isTrusted) finished(event.target); });
  on('click', (event) => {
    // A step of a form may be gone after it.
    if (pause) keepNow();
    const link = event.composedPath().find((/** @type {any} */ el) => el.localName === 'a');
    if (link && LOGOUT.test(link.pathname)) forget();
  });
  on('pagehide', () => { keepNow(); rest(); yieldAll(); });
  on('pageshow', (event) => {
    if (!event.persisted) return;
    toldAt = 0;
    lead();
    for (const key of [...slots.keys()]) claim(key);
  });
  on('visibilitychange', () => { if (document.hidden) { keepNow(); rest(); } else lead(); }, document);
  on('online', () => { if (leading) look(); });
  on('beforeunload', (event) => { if (im.unkept && !im.leaving) event.preventDefault(); });
  // The page turns into another without being loaded.
  const turn = () => { if (restored && keysIn(inTab).length) more((they) => they.turn()); };
  for (const type of ['popstate', 'turbo:load']) on(type, turn);
  let here = placeOf();
  // What was typed belongs to the place that is left. Where there is no such thing, nothing is heard.
  const { navigation } = /** @type {any} */ (window);
  on('navigate', keepNow, navigation);
  on('currententrychange', () => { if (here !== (here = placeOf())) turn(); }, navigation);
  on('turbo:submit-end', (event) => { if (event.detail.success) finished(event.target); });
  // Turbo would put the closed page in the place of the form.
  on('turbo:before-fetch-response', (event) => {
    const answer = event.detail.fetchResponse?.response;
    if (answer?.status !== 503 || !im.awaited || !answer.headers.has('intermission-state')) return;
    event.preventDefault();
    onAnswer(503, im.awaited.at, '');
  });
  try {
    new PerformanceObserver((list) => {
      for (const entry of /** @type {any[]} */ (list.getEntries())) {
        if (/^(fetch|xmlhttprequest)$/.test(entry.initiatorType) && !entry.name.includes('/.intermission/') && !im.stopped) onAnswer(entry.responseStatus, entry.startTime, entry.name);
      }
    }).observe({ type: 'resource' });
  } catch {
    // An old browser is told at the next look.
  }
  HTMLFormElement.prototype.submit = patched;
  if (typeof BroadcastChannel !== 'function') return;
  // "Do not keep on this computer", said in another tab.
  new BroadcastChannel('im').onmessage = ({ data }) => {
    if (data === 'forget') forget();
  };
};

/** What the rest of us works with. */
const shared = { im, controller, OURS, DRAFT, HOUR, ASK_MS, PRIVATE, SECRET_HINT, RICH, FILLED, inTab, onDevice, touched, dirty, stale, passing, first, nativeSubmit,
  attribute, words, isCard, kindOf, below, formOf, keyOf, groups, editorOf, treeOf, read, isUntouched, same, draftKey, keysIn, take, load, drop, forget, slots, claim, wanted,
  save, sentOff, finished, goalOf, posts, asked, ask, away, isShut, look, hear, adopt, part };

const start = () => {
  const page = /** @type {any} */ (window);
  if (!script || page.__intermission || !/html/.test(document.contentType)) return;
  Object.defineProperty(page, '__intermission', { value: { route: im.route } });
  try {
    // In a frame of this site the page around it speaks; in one of another site nothing is kept.
    if (top !== window) im.speaks = !(/** @type {any} */ (top).__intermission);
  } catch {
    return;
  }
  listen();
  // The browser's own restoring and the framework's waking come first.
  const soon = () => setTimeout(() => {
    const frame = document.hidden ? (/** @type {() => void} */ f) => setTimeout(f, 50) : requestAnimationFrame;
    frame(() => frame(restore));
  }, 0);
  if (document.readyState === 'complete') soon();
  else addEventListener('pageshow', soon, { once: true, signal: controller.signal });
};
start();
