// The moment of sending: stopped while the place is closed.

/** Dirty forms of a page that saw the place closed: their tokens may be of yesterday.
 * @type {Set<HTMLFormElement>} */
const stale = new Set();
/** Forms that are let go at the next submit. @type {WeakSet<HTMLFormElement>} */
const passing = new WeakSet();

// Milliseconds after which a page that was to be left by a submit is taken to stay.
const AFTER_MS = 700;

const nativeSubmit = HTMLFormElement.prototype.submit;

/** @param {HTMLFormElement} form @param {Element | null} by @param {string} name */
const asked = (form, by, name) => attribute(by, 'form' + name) ?? attribute(form, name);

/** Where it goes, if that is a place of this site. @param {HTMLFormElement} form @param {Element | null} by */
const goalOf = (form, by) => {
  const action = asked(form, by, 'action');
  const url = action ? new URL(action, document.baseURI) : new URL(location.href);
  return url.origin === location.origin ? url : null;
};

/** @param {HTMLFormElement} form @param {Element | null} by */
const posts = (form, by) => (asked(form, by, 'method') || '').toLowerCase() === 'post';

/** Whether it is not to be sent into a closed place. @param {HTMLFormElement} form @param {Element | null} by */
const isGuarded = (form, by) => {
  if (!goalOf(form, by)) return false;
  // A form with neither is sent by a script of the page.
  return posts(form, by) || (asked(form, by, 'method') === null && attribute(form, 'action') === null && groups().has(form));
};

/** @param {HTMLFormElement} form @param {Element | null} by @param {boolean} silent whether no event tells of it
 * @returns {boolean} whether it was stopped */
const onSend = (form, by, silent) => {
  if (passing.has(form) || im.stopped) return false;
  if (form.querySelector('input[type=password]')) onDevice?.setItem(OURS + 'in', String(Date.now()));
  if (im.mode === 'closed' ? isGuarded(form, by) : stale.has(form) && posts(form, by)) {
    save();
    // Without the rest of us the browser sends it as ever, and what it sends is kept there.
    more((they) => they.onStopped(form, by, silent), () => nativeSubmit.call(form));
    return true;
  }
  if (LOGOUT.test(goalOf(form, by)?.pathname || '')) forget();
  sentOff(form);
  im.awaited = { form, at: performance.now() };
  return false;
};

/** A page that is still here sent the form by a script of its own, and may not look at the answer.
 * @param {HTMLFormElement} form @param {number} at */
const afterSend = async (form, at) => {
  if (im.awaited?.form !== form || im.stopped || (toldAt > at && im.mode !== 'closed')) return;
  await look();
  const since = im.told?.starts_at;
  // Closed before it was sent, by more than clocks may differ: it cannot have arrived.
  if (im.mode === 'closed' && since && Date.parse(since) - im.skew + 2e3 < at) notSent(form);
};

/** @param {HTMLFormElement} form */
const notSent = (form) => {
  if (!form.isConnected || im.awaited?.form !== form) return;
  im.awaited = undefined;
  save();
  more((they) => they.refuse(form, null, im.told));
};

/** Whether an attribute of a form names this address, as its action does. @param {HTMLFormElement} form @param {string} name */
const isGoal = (form, name) => [...form.attributes].some(({ value }) => {
  try {
    return /[/?]/.test(value) && new URL(value, document.baseURI).pathname === new URL(name).pathname;
  } catch {
    return false;
  }
});

/** A request of the page's own script ended: with 503, or well. @param {number} status @param {number} began @param {string} name */
const onAnswer = async (status, began, name) => {
  const { form, at } = im.awaited || {};
  const ours = form && at !== undefined && began >= at - 50 && began < at + 1500;
  if (status === 503) {
    await look();
    if (ours && im.mode === 'closed') notSent(form);
  } else if (ours && status >= 200 && status < 300) {
    // It went well if it went where the form goes, or if the form is gone or empty again; a check on the
    // way would leave it as it is.
    setTimeout(() => {
      const typed = groups().get(form)?.fields.some(({ el }) => touched.has(el) && !same(read(el), first.get(el) ?? ''));
      if (!form.isConnected || !typed || isGoal(form, name)) finished(form);
    }, 500);
  }
};
