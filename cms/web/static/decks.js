// The form of a deck: chosen questions that are found and moved, and a live count of its members.

const form = document.getElementById('form');
const members = document.getElementById('members');
const lines = document.getElementById('questions');
const plain = document.getElementById('plain');
const said = document.getElementById('said');
const editable = !('readonly' in form.dataset);

// --- the chosen questions; the text area holds what is sent ----------------------------------

const rows = () => [...members.children];
const stemOf = (row) => row.querySelector('.who').textContent.trim();

function say(words) {
  said.textContent = words;
}

function number() {
  rows().forEach((row, index) => {
    row.querySelector('[data-step=up]').disabled = index === 0;
    row.querySelector('[data-step=down]').disabled = index === rows().length - 1;
  });
}

function keep() {
  lines.value = rows().map((row) => row.dataset.member).join('\n');
  number();
  lines.dispatchEvent(new Event('input', { bubbles: true }));
}

function button(step, sign, words) {
  const made = Object.assign(document.createElement('button'), { type: 'button', className: 'icon', textContent: sign, title: words });
  made.dataset.step = step;
  return made;
}

function prepare(row) {
  const stem = stemOf(row);
  const verbs = Object.assign(document.createElement('span'), { className: 'moves' });
  for (const [step, sign, words] of [['up', '↑', 'Move up'], ['down', '↓', 'Move down'], ['remove', '×', 'Remove']]) {
    const made = button(step, sign, words);
    made.setAttribute('aria-label', `${words}: ${stem}`);
    verbs.append(made);
  }
  row.append(verbs);
}

function move(row, direction) {
  const other = direction < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (direction < 0) other.before(row); else other.after(row);
  keep();
  say(`‘${stemOf(row)}’ is number ${rows().indexOf(row) + 1} of ${rows().length}.`);
  row.scrollIntoView({ block: 'nearest' });
}

const steps = {
  up(row) { move(row, -1); },
  down(row) { move(row, 1); },
  remove(row) {
    const next = row.nextElementSibling || row.previousElementSibling;
    say(`‘${stemOf(row)}’ is removed.`);
    row.remove();
    keep();
    (next?.querySelector('[data-step=remove]') || find).focus();
  },
};

members.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-step]');
  if (!pressed) return;
  steps[pressed.dataset.step](pressed.closest('li'));
  if (!pressed.isConnected) return;
  // A button that can go no further would lose the focus.
  (pressed.disabled ? pressed.parentElement.querySelector('button:enabled') : pressed).focus();
});

members.addEventListener('keydown', (event) => {
  const direction = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const row = event.target.closest('li');
  if (!direction || !row || !event.altKey || event.shiftKey) return;
  event.preventDefault();
  const held = event.target;
  move(row, direction);
  (held.disabled ? held.parentElement.querySelector('button:enabled') : held).focus();
});

// --- finding one ---------------------------------------------------------------------------------

const find = document.getElementById('find');
const found = document.getElementById('found');
let offering;
let turn = 0;

function close() {
  found.hidden = true;
  found.replaceChildren();
  find.setAttribute('aria-expanded', 'false');
  find.removeAttribute('aria-activedescendant');
}

function offer(questions) {
  const chosen = new Set(rows().map((row) => row.dataset.member));
  const fresh = questions.filter((each) => !chosen.has(each.slug));
  if (!fresh.length) {
    close();
    say(questions.length ? 'All that were found are chosen already.' : 'No published question has these words.');
    return;
  }
  say('');
  found.replaceChildren(...fresh.map((each, index) => {
    const option = Object.assign(document.createElement('li'), { id: `found-${index}`, textContent: each.stem.replaceAll('`', '') });
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    option.dataset.slug = each.slug;
    return option;
  }));
  found.hidden = false;
  find.setAttribute('aria-expanded', 'true');
  found.scrollIntoView({ block: 'nearest' });
  choose(0);
}

function choose(index) {
  const options = [...found.children];
  options.forEach((option, place) => option.setAttribute('aria-selected', String(place === index)));
  find.setAttribute('aria-activedescendant', options[index].id);
  options[index].scrollIntoView({ block: 'nearest' });
}

function add(option) {
  const row = document.createElement('li');
  row.dataset.member = option.dataset.slug;
  row.append(Object.assign(document.createElement('span'), { className: 'who', textContent: option.textContent }));
  prepare(row);
  members.append(row);
  keep();
  say(`‘${option.textContent}’ is number ${rows().length}.`);
  find.value = '';
  close();
  find.focus();
}

find.addEventListener('input', (event) => {
  // What is searched for is no change of the deck.
  event.stopPropagation();
  clearTimeout(offering);
  const mine = ++turn;
  if (!find.value.trim()) {
    close();
    return;
  }
  offering = setTimeout(async () => {
    const address = new URL(form.dataset.lookup, location);
    address.searchParams.set('q', find.value);
    const response = await fetch(address).catch(() => null);
    if (mine === turn && response?.ok && !response.redirected) offer(await response.json());
  }, 150);
});

find.addEventListener('keydown', (event) => {
  const options = [...found.children];
  const at = options.findIndex((option) => option.getAttribute('aria-selected') === 'true');
  if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (at >= 0) add(options[at]);
  } else if (event.key === 'Escape' && options.length) {
    event.preventDefault();
    close();
  } else if (options.length && !event.altKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
    event.preventDefault();
    choose((at + (event.key === 'ArrowDown' ? 1 : -1) + options.length) % options.length);
  }
});
find.addEventListener('blur', close);
// Before the field loses the focus, which would close the list.
found.addEventListener('mousedown', (event) => {
  const option = event.target.closest('[role=option]');
  if (!option) return;
  event.preventDefault();
  add(option);
});

if (editable && 'foldable' in plain.dataset) {
  plain.hidden = true;
  document.getElementById('chooser').hidden = false;
  rows().forEach(prepare);
  number();
}

// --- who is in it ---------------------------------------------------------------------------------

const preview = document.getElementById('preview');
let timer;
let round = 0;

async function render() {
  const mine = ++round;
  const response = await fetch(form.dataset.preview, { method: 'POST', body: new FormData(form) }).catch(() => null);
  if (mine !== round) return;
  if (response?.ok && !response.redirected) preview.innerHTML = await response.text();
  else say('The count waits: you may have been logged out.');
}

form.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(render, 500);
});
