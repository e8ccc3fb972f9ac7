// Fills fields again so that the application notices.

const LINK = /^(https?:|mailto:|\/)/i;

/** @param {Element} node @param {any[]} tree */
const grow = (node, tree) => {
  for (const part of Array.isArray(tree) ? tree : []) {
    if (typeof part === 'string') node.append(part);
    else if (Array.isArray(part) && RICH.test(part[0])) {
      const child = document.createElement(part[0]);
      if (part[0] === 'a' && LINK.test(part[2])) child.setAttribute('href', part[2]);
      grow(child, part[1]);
      node.append(child);
    }
  }
};

/** @param {EventTarget} el @param {string} type */
const fire = (el, type) => el.dispatchEvent(new Event(type, { bubbles: true, composed: true }));

/** Sets a property as the visitor's own typing would: frameworks replace the setter of the element,
 * and take it for theirs if that one is used. @param {any} el @param {string} name @param {any} value */
const assign = (el, name, value) => {
  const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(el), name)?.set;
  setter ? setter.call(el, value) : (el[name] = value);
};

/** Puts a value back; whether the field took it. @param {any} el @param {any} value */
const write = (el, value) => {
  im.placing = true;
  try {
    const editor = editorOf(el), kind = kindOf(el);
    if (editor) editor.set(value);
    else if (kind === 'check') { if (el.checked !== value) el.click(); }
    else if (kind === 'rich') writeRich(el, value);
    else {
      if (kind === 'select') for (const option of el.options) option.selected = value.includes(option.value);
      else assign(el, 'value', value);
      fire(el, 'input');
      fire(el, 'change');
    }
  } catch {
    // A value of another kind: the form was changed meanwhile.
  }
  im.placing = false;
  return same(read(el), value);
};

/** @param {HTMLElement} el @param {any[]} tree */
const writeRich = (el, tree) => {
  const made = document.createElement('div');
  grow(made, tree);
  // An editor with a document of its own behind the page would undo what is put in past it.
  if (el.classList.contains('ProseMirror')) {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/html', made.innerHTML);
    clipboardData.setData('text/plain', made.innerText);
    if (!el.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))) return;
  }
  el.replaceChildren(...made.childNodes);
  fire(el, 'input');
};
