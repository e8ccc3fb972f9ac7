// The moment of sending: stopped while the place is closed.

/** Dirty forms of a page that saw the place closed: their tokens may be of yesterday.
 * @type {Set<HTMLFormElement>} */
const stale = new Set();
/** Forms that are let go at the next submit. @type {WeakSet<HTMLFormElement>} */
const passing = new WeakSet();

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
  sentOff(form);
  im.awaited = { form, at: performance.now() };
  return false;
};

/** A request of the page's own script ended: with 503, or well. @param {number} status @param {number} began */
const onAnswer = async (status, began) => {
  const { form, at } = im.awaited || {};
  const ours = form && at !== undefined && began >= at - 50 && began < at + 1500;
  if (status === 503) {
    await look();
    if (!ours || im.mode !== 'closed' || !form.isConnected) return;
    im.awaited = undefined;
    save();
    more((they) => they.refuse(form, null, im.told));
  } else if (ours && status >= 200 && status < 300) {
    // It went well if the form is gone or empty again; a check on the way would leave it as it is.
    setTimeout(() => {
      const typed = groups().get(form)?.fields.some(({ el }) => touched.has(el) && !same(read(el), first.get(el) ?? ''));
      if (!form.isConnected || !typed) finished(form);
    }, 500);
  }
};
