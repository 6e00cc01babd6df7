// What the desk's pages gain with scripts on; every one of them works without.

const problems = document.getElementById('problems');
if (problems) problems.focus();

// '/' goes to the search box, Ctrl+S and Ctrl+Enter press their buttons.
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, textarea, select, [contenteditable]');
  const control = (event.ctrlKey || event.metaKey) && !event.altKey;
  if (event.key === '/' && !typing && !control && !event.altKey) {
    const search = document.querySelector('[data-search]');
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if (control && (event.key === 's' || event.key === 'Enter')) {
    const button = document.querySelector(event.key === 's' ? '[data-save]' : '[data-publish]');
    if (!button) return;
    event.preventDefault();
    button.click();
  }
});

// The list that a question was opened from is gone through by keys; a text that is typed asks first.
document.addEventListener('keydown', (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = document.querySelector(`[data-key="Alt+${CSS.escape(event.key)}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});

// A menu closes by Escape and by a click elsewhere.
document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('.more[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener('keydown', (event) => {
  const menu = event.key === 'Escape' && event.target.closest('.more[open]');
  if (!menu) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});

// Text areas grow with their text where the style sheet alone cannot make them.
if (!CSS.supports('field-sizing', 'content')) {
  const grow = (area) => {
    // The page is shorter for a moment, and would stay where that left it.
    const top = scrollY;
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight + 2}px`;
    scrollTo(scrollX, top);
  };
  const areas = '.grow, .markdown';
  document.addEventListener('input', (event) => { if (event.target.matches(areas)) grow(event.target); });
  document.querySelectorAll(areas).forEach(grow);
}

// The paths of tags are offered while one is typed, in fields that were there or came later.
let offering;
document.addEventListener('input', (event) => {
  const input = event.target;
  if (!input.matches('input[data-suggest]') || !input.list) return;
  clearTimeout(offering);
  offering = setTimeout(async () => {
    // Of several with commas between, the last one is being typed.
    const [, before, last] = input.value.match(/^(.*[,;]\s*)?(.*)$/);
    const address = new URL(input.dataset.suggest, location);
    address.searchParams.set('q', last.trim().toLowerCase());
    const response = await fetch(address).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const option = (path) => Object.assign(document.createElement('option'), { value: `${before ?? ''}${path}` });
    input.list.replaceChildren(...(await response.json()).map(option));
  }, 150);
});

// The list: tick all, and say how many are ticked.
const bulk = document.querySelector('[data-bulk]');
if (bulk) {
  const all = bulk.querySelector('[data-all]');
  const boxes = [...bulk.querySelectorAll('input[name=rowid]')];
  const words = bulk.querySelector('[data-ticked]');
  const whole = bulk.querySelector('[data-whole]');
  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    words.textContent = whole?.checked ? 'With' : ticked ? `With the ${ticked} ticked` : 'None ticked';
    bulk.querySelector('.bulk').hidden = ticked === 0 && !whole;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.hidden = false;
  all.addEventListener('change', () => { boxes.forEach((box) => { box.checked = all.checked; }); count(); });
  bulk.addEventListener('change', count);
  count();
}

// A page of work that is not done yet looks again until it is.
const lookAgain = () => setTimeout(async () => {
  const response = await fetch(location).catch(() => null);
  const page = response?.ok && new DOMParser().parseFromString(await response.text(), 'text/html');
  const there = page && page.getElementById('main');
  const here = document.getElementById('main');
  const held = here.contains(document.activeElement);
  if (there) here.replaceChildren(...there.childNodes);
  // What had the focus is gone: Tab goes on where it was, not at the top of the page.
  if (there && held) here.focus();
  if (document.querySelector('[data-busy]')) lookAgain();
}, 1000);
if (document.querySelector('[data-busy]')) lookAgain();

// Choices are kept as they are made; what depends on them follows.
document.addEventListener('change', async (event) => {
  const choices = event.target.closest('form[data-autosave]');
  if (!choices) return;
  const response = await fetch(choices.action, { method: 'POST', body: new FormData(choices) }).catch(() => null);
  const page = response?.ok && new DOMParser().parseFromString(await response.text(), 'text/html');
  if (!page || !page.querySelector('form[data-autosave]')) { choices.submit(); return; }
  for (const id of ['notes', 'write', 'all-of']) {
    const [here, there] = [document.getElementById(id), page.getElementById(id)];
    if (here && there) here.replaceChildren(...there.childNodes);
  }
});

// A small form that was changed is not left by accident.
for (const form of document.querySelectorAll('form[data-guard]')) {
  let changed = 'unsaved' in form.dataset;
  form.addEventListener('input', () => { changed = true; });
  form.addEventListener('submit', () => { changed = false; });
  addEventListener('beforeunload', (event) => { if (changed) event.preventDefault(); });
}

// Decisions beside a text are sent without leaving it: what is typed there stays as it is.
const REGIONS = ['notes', 'state', 'preview', 'rail', 'side'];
document.addEventListener('submit', async (event) => {
  const [form, button] = [event.target, event.submitter];
  const asked = [button, form].find((each) => each?.matches('[data-inplace]'));
  if (!asked || !document.getElementById('editor')) return;
  event.preventDefault();
  const response = await fetch(form.action, { method: 'POST', body: new FormData(form, button) })
    .catch(() => null);
  const page = response?.ok && new DOMParser().parseFromString(await response.text(), 'text/html');
  if (!page || !page.getElementById('editor')) {
    // Not the page that was expected, such as a log-in: send it the plain way.
    asked.removeAttribute('data-inplace');
    form.requestSubmit(button);
    return;
  }
  const region = button?.closest('[data-warnings]');
  const warnings = [...document.querySelectorAll('[data-warnings]')].map((each) => each.id);
  for (const id of [...REGIONS, ...warnings]) {
    const [here, there] = [document.getElementById(id), page.getElementById(id)];
    if (here && there) here.replaceChildren(...there.childNodes);
  }
  document.dispatchEvent(new CustomEvent('desk:refreshed', { detail: region }));
  // A button in the text leaves one where one is; what went wrong is shown all the same.
  const notes = document.getElementById('notes');
  if (asked === form || notes.querySelector('.error')) notes.scrollIntoView({ block: 'nearest' });
});
