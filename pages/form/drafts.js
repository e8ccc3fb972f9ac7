// What was typed and not sent yet: in this tab, and on this device once a window is announced.

/** @typedef {{ at: number, place: string, form: string, values: Record<string, Value>, sent?: number, until?: number }} Draft */

const OURS = 'intermission:';
const DRAFT = OURS + 'draft:';
// Characters of one form, and how many older drafts give way to a new one.
const DRAFT_MAX = 200 * 1024, YIELD_MAX = 30;
const HOUR = 36e5;
// What the address of a page says of who brought the visitor there, not of what is shown.
const TRACES = /^(utm_|fbclid|gclid|_$|_ga)/;

/** A storage that works, or none. @param {'sessionStorage' | 'localStorage'} name */
const shelf = (name) => {
  try {
    const store = window[name];
    store.setItem(OURS + 'probe', '1');
    store.removeItem(OURS + 'probe');
    return store;
  } catch {
    return null;
  }
};
const inTab = shelf('sessionStorage'), onDevice = shelf('localStorage');

/** The forms that the visitor changed. @type {Set<HTMLFormElement | null>} */
const dirty = new Set();
/** When a form was sent that nothing was typed into since. @type {Map<HTMLFormElement | null, number>} */
const sent = new Map();

/** The page as far as it tells forms apart. @param {string} href */
const placeOf = (href = location.href) => {
  const url = new URL(href, location.href);
  for (const name of [...url.searchParams.keys()]) if (TRACES.test(name)) url.searchParams.delete(name);
  return url.pathname + url.search;
};

/** @param {string} key @param {string} place */
const draftKey = (key, place = placeOf()) => DRAFT + place + '#' + key;

/** @param {Storage | null} store @returns {string[]} */
const keysIn = (store) => (store ? Object.keys(store).filter((key) => key.startsWith(OURS)) : []);

/** @param {Storage | null} store @param {string} key @returns {Draft | null} */
const take = (store, key) => {
  try {
    const draft = JSON.parse(store?.getItem(key) || 'null');
    return draft && draft.values && !(draft.until < Date.now()) ? draft : null;
  } catch {
    return null;
  }
};

/** @param {string} key @returns {Draft | null} */
const load = (key) => {
  const here = take(inTab, key), there = take(onDevice, key);
  return here && there ? (there.at > here.at ? there : here) : here || there;
};

/** @param {Storage | null} store @param {string} key @param {Draft} draft */
const put = (store, key, draft) => {
  const text = JSON.stringify(draft);
  if (!store || text.length > DRAFT_MAX) return false;
  for (let tries = 0; tries < YIELD_MAX; tries += 1) {
    try {
      store.setItem(key, text);
      return true;
    } catch {
      const others = keysIn(store).filter((other) => other.startsWith(DRAFT) && other !== key);
      const oldest = others.sort((a, b) => (take(store, a)?.at || 0) - (take(store, b)?.at || 0))[0];
      if (!oldest) return false;
      store.removeItem(oldest);
    }
  }
  return false;
};

/** @param {string} key */
const drop = (key) => {
  inTab?.removeItem(key);
  onDevice?.removeItem(key);
};

/** Deletes all that we ever stored in this tab and on this device. */
const forget = () => {
  dirty.clear();
  for (const store of [inTab, onDevice]) for (const key of keysIn(store)) store?.removeItem(key);
};

/** @param {string} key @param {Draft} draft */
const keep = (key, draft) => {
  const stored = put(inTab, key, draft);
  const lasts = (im.promoted || !!onDevice?.getItem(key)) && put(onDevice, key, { ...draft, until: im.until || Date.now() + 48 * HOUR });
  return stored || lasts;
};

/** Keeps what stands in the forms that the visitor changed. What has no field on this page, such as the
 * other steps of a wizard, stays as it was. */
const save = () => {
  if (!dirty.size) return;
  im.unkept = false;
  const found = groups();
  for (const form of dirty) {
    const group = found.get(form);
    if (!group) continue;
    const key = draftKey(group.key), old = load(key);
    const values = { ...old?.values };
    for (const { el, key: name } of group.fields) {
      if (touched.has(el) && same(read(el), first.get(el) ?? '')) delete values[name];
      else if (touched.has(el) || !isUntouched(el)) values[name] = read(el);
    }
    // What was typed is gone again: deleted, or taken by the page.
    if (!Object.keys(values).length) drop(key);
    else if (!keep(key, { at: Date.now(), place: placeOf(), form: group.key, values, sent: sent.get(form) })) im.unkept = true;
  }
};

/** A form was sent: what it held stays until the answer is known. @param {HTMLFormElement} form */
const sentOff = (form) => {
  sent.set(form, Date.now());
  save();
  const key = draftKey(keyOf(form)), draft = load(key);
  if (draft) keep(key, { ...draft, sent: Date.now() });
};

/** @param {HTMLFormElement | null} form */
const finished = (form) => {
  dirty.delete(form);
  drop(draftKey(keyOf(form)));
};

/** Takes what is kept in this tab to the device as well. */
const promote = () => {
  for (const key of keysIn(inTab)) {
    const draft = key.startsWith(DRAFT) && take(inTab, key);
    if (draft) keep(key, draft);
  }
};
