// The editor of a question: answers and options that move, keys, tags as chips, a preview while one types.

const form = document.getElementById('editor');
const answers = document.getElementById('answers');
const options = document.getElementById('options');
const CARD = '[data-answer], [data-option]';

// Other scripts of the page hear of what changes without being typed.
function changed() {
  form.dispatchEvent(new CustomEvent('desk:changed'));
}

// --- answers, options and sources: the same steps that the server does for the plain form -----

function numbered(node, replacements) {
  const swap = (text) => replacements.reduce((held, [from, to]) => held.replace(from, to), text);
  for (const element of [node, ...node.querySelectorAll('*')]) {
    for (const name of ['id', 'name', 'for', 'value', 'href', 'aria-describedby']) {
      const value = element.getAttribute(name);
      const ours = name !== 'value' || element.name === 'op';
      if (value && ours && value.includes('[')) element.setAttribute(name, swap(value));
    }
  }
}

// Number the cards of a list, answers or options, as they stand now.
function renumber(list) {
  const cards = [...list.querySelectorAll(CARD)];
  cards.forEach((card, index) => {
    numbered(card, [[/(answers|options)\[(\d+|__n__)\]/g, `$1[${index}]`]]);
    card.querySelector('[data-legend]').textContent = `${list.dataset.noun} ${index + 1}`;
    card.querySelector('[data-step=up]').disabled = index === 0;
    card.querySelector('[data-step=down]').disabled = index === cards.length - 1;
    if (list === options) return;
    renumberSources(card);
    describe(card, index);
  });
  if (list === options) describeOptions();
}

function describeOptions() {
  const number = options.querySelectorAll('[data-option]').length;
  const right = options.querySelectorAll('[type=checkbox]:checked').length;
  const facts = form.querySelector('[data-options-facts]');
  // There has to be a right one and a wrong one; with a single option somebody has just begun.
  facts.className = number > 1 && [0, number].includes(right) ? 'hot' : 'quiet';
  facts.textContent =
    number ? `${number} option${number === 1 ? '' : 's'}, ${right} right` : 'for multiple choice, beside the answer';
}

function renumberSources(card) {
  card.querySelectorAll('[data-source]').forEach((source, index) => {
    numbered(source, [[/sources\[(\d+|__m__)\]/g, `sources[${index}]`]]);
  });
}

function describe(card, index) {
  const label = card.querySelector('[data-answer-label]').value.trim();
  const words = (card.querySelector('[data-body]').value.match(/\S+/g) || []).length;
  const sources = card.querySelectorAll('[data-source]').length;
  card.querySelector('[data-answer-name]').textContent = label || `Answer ${index + 1}`;
  card.querySelector('[data-answer-facts]').textContent =
    `${words} word${words === 1 ? '' : 's'}` + (sources ? ` · ${sources} source${sources === 1 ? '' : 's'}` : '');
}

function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// Which answers are folded is remembered in this tab: saving loads the page anew.
const foldedName = `desk-folded:${form.dataset.key}`;

function isFolded(card) {
  return card.querySelector('[data-answer-text]').hidden;
}

function fold(card, folded) {
  const button = card.querySelector('[data-step=fold]');
  card.querySelector('[data-answer-text]').hidden = folded;
  button.textContent = folded ? '▸' : '▾';
  button.setAttribute('aria-expanded', String(!folded));
  button.title = folded ? 'Unfold' : 'Fold';
  tellFolds();
}

function tellFolds() {
  const cards = [...answers.querySelectorAll('[data-answer]')];
  const bar = form.querySelector('[data-fold-bar]');
  bar.hidden = cards.length < 2;
  bar.querySelector('button').textContent = cards.every(isFolded) ? 'Unfold all' : 'Fold all';
  const folded = cards.filter(isFolded).map((card) => card.dataset.uid).filter(Boolean);
  sessionStorage.setItem(foldedName, JSON.stringify(folded));
}

function prepare(card) {
  const button = card.querySelector('[data-step=fold]');
  if (button) button.hidden = false;
}

function offerUndo(words, undo) {
  const place = document.getElementById('undo');
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'link', textContent: 'Undo' });
  button.addEventListener('click', () => { undo(); place.replaceChildren(); changed(); });
  place.replaceChildren(`${words} `, button);
}

const steps = {
  add() {
    const card = copyOf('answer-template');
    answers.append(card);
    prepare(card);
    renumber(answers);
    card.querySelector('[data-body]').focus();
  },
  'add-option'(button) {
    const card = copyOf('option-template');
    const [text, feedback] = card.querySelectorAll('textarea');
    options.append(card);
    renumber(options);
    if (button.dataset.text) {
      // What a correction offers is offered once.
      text.value = button.dataset.text;
      feedback.value = button.dataset.feedback;
      button.closest('li').hidden = true;
    }
    text.focus();
  },
  'fold-all'() {
    const cards = [...answers.querySelectorAll('[data-answer]')];
    const folded = !cards.every(isFolded);
    cards.forEach((card) => fold(card, folded));
  },
  check(button) { check(button.closest('[data-source]')); },
  remove(button) {
    const card = button.closest(CARD);
    const [list, next] = [card.parentElement, card.nextElementSibling];
    const name = card.querySelector('[data-answer-name], [data-legend]').textContent;
    card.remove();
    renumber(list);
    offerUndo(`‘${name}’ is removed.`, () => { list.insertBefore(card, next); renumber(list); });
    if (list === options) {
      (next?.querySelector('[data-option-text]') || document.querySelector('[value=add-option]')).focus();
      return;
    }
    const field = next && !isFolded(next) && next.querySelector('[data-body]');
    (field || next?.querySelector('[data-step=fold]') || document.querySelector('[data-step=add]')).focus();
  },
  up(button) { move(button.closest(CARD), -1); button.focus(); },
  down(button) { move(button.closest(CARD), 1); button.focus(); },
  fold(button) {
    const card = button.closest('[data-answer]');
    fold(card, button.getAttribute('aria-expanded') === 'true');
  },
  'add-source'(button) {
    const card = button.closest('[data-answer]');
    const source = copyOf('source-template');
    card.querySelector('[data-sources]').append(source);
    const path = button.value.replace('.add-source', '');
    numbered(source, [[/answers\[__n__\]/g, path]]);
    renumberSources(card);
    source.querySelector('input').focus();
  },
  'remove-source'(button) {
    const [source, card] = [button.closest('[data-source]'), button.closest('[data-answer]')];
    const next = source.nextElementSibling?.querySelector('summary') || card.querySelector('[data-step=add-source]');
    source.remove();
    renumberSources(card);
    next.focus();
  },
};

function move(card, direction) {
  const other = direction < 0 ? card.previousElementSibling : card.nextElementSibling;
  if (!other) return;
  if (direction < 0) other.before(card); else other.after(card);
  renumber(card.parentElement);
  card.scrollIntoView({ block: 'nearest' });
}

form.addEventListener('click', (event) => {
  const button = event.target.closest('[data-step]');
  if (!button) return;
  event.preventDefault();
  steps[button.dataset.step](button);
  if (!['fold', 'fold-all', 'check'].includes(button.dataset.step)) changed();
});

form.addEventListener('keydown', (event) => {
  const card = event.target.closest(CARD);
  const direction = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (card && answers && direction && event.altKey && !event.shiftKey && !('readonly' in form.dataset)) {
    event.preventDefault();
    const [start, end] = [event.target.selectionStart, event.target.selectionEnd];
    move(card, direction);
    event.target.focus();
    if (start != null && event.target.matches('textarea')) event.target.setSelectionRange(start, end);
    changed();
  }
});

if (answers) {
  const cards = [...answers.querySelectorAll('[data-answer]')];
  const folded = JSON.parse(sessionStorage.getItem(foldedName) || '[]');
  cards.forEach(prepare);
  if (document.getElementById('answer-template')) [answers, options].forEach(renumber);
  for (const card of cards) {
    // What is wrong is never folded away.
    if (folded.includes(card.dataset.uid) && !card.querySelector('[aria-invalid]')) fold(card, true);
  }
  tellFolds();
}

// --- a source: its line says what its fields do, and a check answers in place -----------------

function tellSource(source) {
  const [url, title] = ['url', 'title'].map((name) => source.querySelector(`[data-source-${name}]`).value.trim());
  source.querySelector('[data-source-name]').textContent = title || url || 'New source';
  const link = source.querySelector('[data-source-link]');
  link.hidden = !/^https?:\/\//i.test(url);
  if (!link.hidden) link.href = url;
  const said = source.querySelector('[data-check]');
  if (said.dataset.of === url) return;
  // What was said is true of another address.
  said.dataset.of = url;
  said.textContent = '';
}

async function check(source) {
  const [button, said] = ['[data-step=check]', '[data-check]'].map((each) => source.querySelector(each));
  const url = source.querySelector('[data-source-url]').value.trim();
  if (button.getAttribute('aria-disabled')) return;
  const data = new FormData();
  data.set('csrf_token', form.elements.csrf_token.value);
  data.set('url', url);
  button.setAttribute('aria-disabled', 'true');
  said.dataset.fresh = '';
  said.dataset.of = url;
  said.textContent = 'Asking …';
  const response = await fetch(form.dataset.checks, { method: 'POST', body: data }).catch(() => null);
  button.removeAttribute('aria-disabled');
  if (said.dataset.of !== url) return;
  const ours = response && !response.redirected && [200, 403, 422, 429].includes(response.status);
  if (ours) said.innerHTML = await response.text();
  else said.textContent = response?.status === 401 ? 'Not checked: you are logged out.' : 'Not checked: the server does not answer.';
}

options?.addEventListener('change', describeOptions);

form.addEventListener('input', (event) => {
  const source = event.target.closest('[data-source]');
  if (source) tellSource(source);
});

// --- typing Markdown: Tab indents, Escape leaves ----------------------------------------

// Whoever comes by Tab goes on by it, and changes nothing on the way; typing makes it indent.
let leaving = false;
let byTab = false;
document.addEventListener('keydown', (event) => { byTab = event.key === 'Tab'; }, true);
document.addEventListener('pointerdown', () => { byTab = false; leaving = false; }, true);
form.addEventListener('focusin', (event) => {
  const area = event.target;
  if (!area.matches('textarea[data-body]') || area.readOnly) return;
  leaving = byTab;
  const described = area.getAttribute('aria-describedby') || '';
  if (!described.includes('keys-hint')) area.setAttribute('aria-describedby', `${described} keys-hint`.trim());
});
document.getElementById('keys-hint')?.removeAttribute('hidden');
form.addEventListener('keydown', (event) => {
  const area = event.target;
  if (area.matches('[data-line]') && event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    return;
  }
  if (!area.matches('textarea[data-body]') || area.readOnly) return;
  if (event.key === 'Escape') {
    // The next Tab moves on, as in any other field.
    leaving = true;
    return;
  }
  if (event.key !== 'Tab' || leaving || event.ctrlKey || event.altKey || event.metaKey) {
    if (event.key !== 'Shift') leaving = false;
    return;
  }
  event.preventDefault();
  indent(area, event.shiftKey);
});
form.addEventListener('focusout', () => { leaving = false; });

function indent(area, outwards) {
  const { value, selectionStart: start, selectionEnd: end } = area;
  if (start === end && !outwards) {
    insert(area, '    ');
    return;
  }
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const lines = value.slice(from, end).split('\n');
  const text = lines.map((line) => (outwards ? line.replace(/^ {1,4}|^\t/, '') : `    ${line}`)).join('\n');
  if (text === lines.join('\n')) return;
  area.setSelectionRange(from, end);
  insert(area, text);
  if (start !== end) area.setSelectionRange(from, from + text.length);
}

function insert(area, text) {
  // The only way in which the browser's own undo stays whole.
  if (!document.execCommand('insertText', false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
    area.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

// --- tags as chips ------------------------------------------------------------------------

const tags = form.querySelector('[data-tags]');
if (tags && !tags.readOnly) {
  const box = Object.assign(document.createElement('div'), { className: 'chips' });
  const list = Object.assign(document.createElement('datalist'), { id: 'tag-paths' });
  const entry = Object.assign(document.createElement('input'), { id: 'tags', autocomplete: 'off', placeholder: 'add …' });
  entry.setAttribute('list', list.id);
  entry.setAttribute('aria-describedby', tags.getAttribute('aria-describedby') || '');
  if (tags.getAttribute('aria-invalid')) entry.setAttribute('aria-invalid', 'true');
  entry.dataset.suggest = tags.dataset.tags;
  tags.type = 'hidden';
  tags.removeAttribute('id');
  tags.after(box);
  box.append(entry, list);

  const current = () => tags.value.split(/[,;\n]/).map((path) => path.trim()).filter(Boolean);
  const show = () => {
    box.querySelectorAll('.tag').forEach((chip) => chip.remove());
    for (const path of current()) {
      const chip = Object.assign(document.createElement('span'), { className: 'tag', textContent: path });
      const drop = Object.assign(document.createElement('button'), { type: 'button', textContent: '×', title: 'Take off' });
      drop.setAttribute('aria-label', `Take off ${path}`);
      drop.addEventListener('click', () => { set(current().filter((each) => each !== path)); entry.focus(); });
      chip.append(drop);
      entry.before(chip);
    }
  };
  const set = (paths) => {
    tags.value = [...new Set(paths)].join(', ');
    show();
    changed();
  };
  const take = () => {
    const typed = entry.value.split(/[,;]/).map((path) => path.trim().toLowerCase()).filter(Boolean);
    entry.value = '';
    if (typed.length) set([...current(), ...typed]);
  };
  entry.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      take();
    } else if (event.key === 'Backspace' && !entry.value && current().length) {
      set(current().slice(0, -1));
    }
  });
  entry.addEventListener('input', () => { if (/[,;]/.test(entry.value)) take(); });
  entry.addEventListener('change', take);
  form.addEventListener('submit', take, { capture: true });
  show();
}

// --- the preview, by the server's renderer -----------------------------------------------------

const preview = document.getElementById('preview');
let timer;
let turn = 0;

async function render() {
  const mine = ++turn;
  const response = await fetch(form.dataset.preview, { method: 'POST', body: new FormData(form) }).catch(() => null);
  if (mine !== turn) return;
  // Where the server does not answer, what is kept says so.
  if (response?.ok && !response.redirected) preview.innerHTML = await response.text();
}

function renderSoon() {
  clearTimeout(timer);
  timer = setTimeout(render, 500);
}

if (preview && form.dataset.preview) {
  form.addEventListener('input', renderSoon);
  form.addEventListener('desk:changed', renderSoon);
}

// It shows what is being written, where it is longer than its window.
const windowOfPreview = document.querySelector('[data-preview-window]');
let shown = '';

function follow(card) {
  const written = [...answers.querySelectorAll('[data-answer]')].filter((each) => each.querySelector('[data-body]').value.trim());
  const place = String(written.indexOf(card));
  const part = preview.querySelector(`[data-shown="${place}"]`);
  if (!part || shown === place || windowOfPreview.scrollHeight <= windowOfPreview.clientHeight) return;
  shown = place;
  const top = part.getBoundingClientRect().top - windowOfPreview.getBoundingClientRect().top;
  windowOfPreview.scrollTop += top - 24;
}

if (windowOfPreview && answers) {
  answers.addEventListener('focusin', (event) => {
    const card = event.target.closest('[data-answer]');
    if (card) follow(card);
  });
}

// In a narrow window what stands beside the text is below it, and folded until it is wanted.
const panels = [...document.querySelectorAll('[data-panel]')];
if (panels.length && matchMedia('(max-width: 60rem)').matches) panels.forEach((panel) => { panel.open = false; });
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const panel = target?.closest('[data-panel]');
  if (panel) panel.open = true;
  const card = target?.closest('[data-answer]');
  if (card && answers && isFolded(card)) fold(card, false);
  const line = Number(link?.dataset.goToLine);
  if (!line || !target.matches('textarea')) return;
  // A run of code leads to its line.
  event.preventDefault();
  target.focus();
  const start = target.value.split('\n').slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  target.setSelectionRange(start, start);
});

form.addEventListener('input', (event) => {
  const card = event.target.closest('#answers [data-answer]');
  if (card) describe(card, [...answers.querySelectorAll('[data-answer]')].indexOf(card));
});
