// What the visitor types into: which fields may be kept, how each kind is read, and how it is filled
// again so that the application notices.

/** @typedef {string | boolean | object} Value */
/** @typedef {{ get: () => Value, set: (value: any) => void, on: (heard: () => void) => void }} Editor */
/** @typedef {{ el: HTMLElement, key: string }} Field */
/** @typedef {{ form: HTMLFormElement | null, key: string, fields: Field[] }} Group */

const NO_ANSWERS = /^(password|hidden|file|submit|button|reset|image|search)$/;
const SECRET_HINT = /(^|\s)(current-password|new-password|one-time-code|webauthn|cc-\S+|transaction-\S+)/;
const SECRET_NAME = new RegExp(
  'passw|pass.?(phrase|code)|kennwort|mot.?de.?passe|contrase[nñ]a|senha|パスワード|暗証番号|كلمة.?المرور' +
    '|(^|[^a-z])(pass|pwd|pswd|secret|[th]?otp|mfa|pin|cvv|cvc|cvn|csc|mdp|ssn|iban|2fa)\\d*($|[^a-z])' +
    '|card.?(num|no|nr)|kreditkarte|kartennummer|one.?time|(security|sms|login|auth|verification).?code' +
    '|captcha|token|csrf|nonce|authenticity|viewstate',
  'i',
);
const PRIVATE = '[data-intermission=off],[data-private],[data-sentry-mask],.no-save';
const WANTED = '[data-intermission=on]';
// A form that the server put the answers into says how many.
const FILLED = 'data-im-filled';
const FIELDS = 'input,textarea,select,[contenteditable]';
// What rich text may consist of when it is put back; other elements leave their text.
const RICH = /^(p|div|br|b|strong|i|em|u|s|sub|sup|ul|ol|li|h[1-6]|blockquote|pre|code|span|a|table|tbody|tr|td|th)$/;

/** What the visitor changed on this page. @type {WeakSet<Element>} */
const touched = new WeakSet();

/** The nearest ancestor that matches, through open shadow roots. @param {Element} el @param {string} css @returns {Element | null} */
const up = (el, css) => {
  const found = el.closest(css);
  if (found) return found;
  const root = el.getRootNode();
  return root instanceof ShadowRoot ? up(root.host, css) : null;
};

/** @param {any} el @returns {'' | 'text' | 'check' | 'select' | 'rich'} */
const kindOf = (el) => {
  if (el.localName === 'textarea') return 'text';
  if (el.localName === 'select') return 'select';
  if (el.localName !== 'input') return el.isContentEditable && !el.parentElement?.isContentEditable ? 'rich' : '';
  if (el.type === 'checkbox' || el.type === 'radio') return 'check';
  return NO_ANSWERS.test(el.type) ? '' : 'text';
};

/** @param {Element} el */
const words = (el) => ((el.getAttribute('name') || '') + ' ' + (el.id || '')).replace(/([a-z])([A-Z])/g, '$1_$2');

/** Whether the digits of a text are a payment card's. @param {string} text */
const isCard = (text) => {
  const digits = text.replace(/[ -]/g, '');
  if (!/^\d{13,19}$/.test(digits)) return false;
  let sum = 0;
  [...digits].reverse().forEach((digit, at) => { sum += at % 2 ? (2 * +digit) % 9 || (+digit && 9) : +digit; });
  return sum % 10 === 0;
};

/** Whether what stands in it may be kept on this device. @param {any} el */
const mayKeep = (el) => {
  const kind = kindOf(el);
  const hint = (el.getAttribute('autocomplete') || '').toLowerCase();
  if (!kind || el.disabled || el.readOnly || up(el, PRIVATE) || up(el, '[role=search]')) return false;
  if (SECRET_HINT.test(hint) || SECRET_NAME.test(words(el)) || im.never.includes(el.name)) return false;
  if ((/\boff\b/.test(hint) || el.form?.getAttribute('autocomplete') === 'off') && !up(el, WANTED)) return false;
  return kind !== 'text' || !isCard(el.value);
};

/** Every field below a node, through open shadow roots. @param {ParentNode} root @returns {Generator<HTMLElement>} */
function* below(root) {
  for (const el of root.querySelectorAll('*')) {
    if (el.matches(FIELDS)) yield /** @type {HTMLElement} */ (el);
    if (el.shadowRoot && el !== im.host) yield* below(el.shadowRoot);
  }
}

/** @param {any} el @returns {HTMLFormElement | null} */
const formOf = (el) => el.form || up(el, 'form');

/** An attribute of a form, which its controls cannot hide. @param {Element | null} el @param {string} name */
const attribute = (el, name) => (el ? Element.prototype.getAttribute.call(el, name) : null);

/** Ids that a framework makes up are others on the next page. @param {string | null} id */
const lasting = (id) => (id && /^[a-z][\w.-]*$/i.test(id) && !/\d{4}/.test(id) ? id : '');

/** What a form is known by on the next page. @param {HTMLFormElement | null} form @param {Document} page */
const keyOf = (form, page = document) => {
  if (!form) return '-';
  const own = lasting(attribute(form, 'id')) || attribute(form, 'name');
  if (own) return own;
  const action = (attribute(form, 'action') || '').split('?')[0];
  const alike = [...page.forms].filter((other) => (attribute(other, 'action') || '').split('?')[0] === action);
  return action + '*' + alike.indexOf(form);
};

/** Whether nothing of a form is kept: it asks for a password, or it only searches. @param {HTMLFormElement | null} form */
const isLeftAlone = (form) => {
  const asks = 'input[type=password],[autocomplete*=current-password],[autocomplete*=new-password],[autocomplete*=one-time-code]';
  // A field may belong to a form that it does not stand in.
  if ([...document.querySelectorAll(asks)].some((el) => formOf(el) === form)) return true;
  if (!form) return false;
  const method = attribute(form, 'method');
  const searches = method ? method.toLowerCase() === 'get' : attribute(form, 'action') !== null;
  return !!form.querySelector(asks) || (searches && !form.matches(WANTED)) || !!up(form, PRIVATE);
};

/** The forms of the page with the fields that may be kept, each field with what it is known by. @returns {Map<HTMLFormElement | null, Group>} */
const groups = () => {
  /** @type {Map<HTMLFormElement | null, Group>} */
  const found = new Map();
  /** @type {Map<string, number>} */
  const alike = new Map();
  for (const el of below(document)) {
    if (!mayKeep(el)) continue;
    const form = formOf(el);
    const group = found.get(form) || { form, key: keyOf(form), fields: [] };
    found.set(form, group);
    const named = attribute(el, 'name') || lasting(el.id) || attribute(el, 'aria-label') || attribute(el, 'placeholder') || kindOf(el);
    const base = kindOf(el) === 'check' ? named + '=' + /** @type {HTMLInputElement} */ (el).value : named;
    const nth = alike.get(group.key + '\n' + base) || 0;
    alike.set(group.key + '\n' + base, nth + 1);
    group.fields.push({ el, key: nth ? base + '#' + nth : base });
  }
  for (const form of found.keys()) if (isLeftAlone(form)) found.delete(form);
  return found;
};

/** The public handle of a rich editor. @param {any} el @returns {Editor | null} */
const editorOf = (el) => {
  const page = /** @type {any} */ (window);
  const tiny = el.id && page.tinymce?.get?.(el.id);
  if (tiny?.initialized) return { get: () => tiny.getContent(), set: (text) => tiny.setContent(text), on: (heard) => tiny.on('input change undo redo', heard) };
  const ck4 = el.id && page.CKEDITOR?.instances?.[el.id];
  if (ck4) return { get: () => ck4.getData(), set: (text) => ck4.setData(text), on: (heard) => ck4.on('change', heard) };
  const ck5 = el.ckeditorInstance;
  if (ck5) return { get: () => ck5.getData(), set: (text) => ck5.setData(text), on: (heard) => ck5.model.document.on('change:data', heard) };
  const quill = el.classList.contains('ql-editor') && page.Quill?.find?.(el.parentElement);
  if (quill) return { get: () => quill.getContents().ops, set: (ops) => quill.setContents(ops, 'user'), on: (heard) => quill.on('text-change', heard) };
  const lexical = el.__lexicalEditor;
  return lexical ? { get: () => lexical.getEditorState().toJSON(), set: (json) => lexical.setEditorState(lexical.parseEditorState(json)), on: (heard) => lexical.registerUpdateListener(heard) } : null;
};

/** Rich text as plain data: no markup is ever parsed to put it back. @param {Node} node @returns {any[]} */
const treeOf = (node) => [...node.childNodes].flatMap((/** @type {any} */ child) => {
  if (child.nodeType === 3) return [child.data];
  if (child.nodeType !== 1) return [];
  if (!RICH.test(child.localName)) return treeOf(child);
  return [[child.localName, treeOf(child), child.getAttribute('href') || '']];
});

/** @param {any} el @returns {Value} */
const read = (el) => {
  const editor = editorOf(el);
  if (editor) return editor.get();
  switch (kindOf(el)) {
    case 'check': return el.checked;
    case 'select': return [...el.selectedOptions].map((option) => option.value);
    case 'rich': return treeOf(el);
    default: return el.value;
  }
};

/** Whether it stands as the application served it, or empty. @param {any} el */
const isUntouched = (el) => {
  if (touched.has(el)) return false;
  // A framework sets what no attribute tells of.
  if (first.has(el) && same(read(el), first.get(el) ?? '')) return true;
  const kind = kindOf(el);
  if (editorOf(el) || kind === 'select' || kind === 'rich') return true;
  if (kind === 'check') return el.checked === el.defaultChecked;
  // A colour or a range is never empty, and has the browser's own value if the page gives none.
  return !el.value || el.value === el.defaultValue || /^(color|range)$/.test(el.type);
};

/** @param {Value} a @param {Value} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
