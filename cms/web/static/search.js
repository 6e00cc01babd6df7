// The search box: '/' and Ctrl+K go to it, and questions are shown while one types.
// Without scripts its form does all of it in one step.

const box = document.querySelector('input[type=search]');

function isTyping(target) {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable]');
}

// Single letters do nothing where a reader wants none, as with speech input.
function singleKeys() {
  return document.documentElement.dataset.singleKeys !== 'off';
}

if (box) {
  const show = () => {
    for (const hint of box.form.querySelectorAll('kbd')) {
      hint.hidden = false;
      hint.textContent = singleKeys() ? '/' : 'Ctrl K';
    }
    box.setAttribute('aria-keyshortcuts', singleKeys() ? '/ Control+K' : 'Control+K');
  };
  show();
  // The preference is marked first: its listener is on the page before this one.
  document.addEventListener('change', show);
  document.addEventListener('keydown', (event) => {
    if (event.altKey || event.shiftKey && event.key !== '/') return;
    const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k';
    const slash = event.key === '/' && !event.ctrlKey && !event.metaKey;
    if (!command && !(slash && singleKeys() && !isTyping(event.target))) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}

// --- questions while one types ---------------------------------------------------

const PAUSE = 120; // milliseconds without a key before the server is asked

for (const [index, input] of document.querySelectorAll('input:is([data-suggest], [data-index])').entries()) {
  suggestFor(input, `suggested-${index}`);
}

// The options for what was typed: the server's, or in a site that stands in files those of its index.
async function optionsFor(input, query, signal) {
  if (input.dataset.index) return (await import('./suggesting.js')).suggested(input.dataset.index, query);
  const answer = await fetch(`${input.dataset.suggest}?q=${encodeURIComponent(query)}`, { signal });
  if (!answer.ok) return null;
  const fragment = document.createElement('template');
  fragment.innerHTML = await answer.text();
  return fragment.content;
}

function suggestFor(input, id) {
  const list = document.createElement('ul');
  list.id = id;
  list.className = 'suggested';
  list.hidden = true;
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Questions');
  const status = document.createElement('span');
  status.className = 'visually-hidden';
  status.setAttribute('role', 'status');
  input.parentElement.append(list, status);
  // A field of the type 'search' may have no other role (ARIA in HTML).
  input.type = 'text';
  input.enterKeyHint = 'search';
  input.setAttribute('role', 'combobox');
  input.setAttribute('aria-autocomplete', 'list');
  input.setAttribute('aria-expanded', 'false');
  input.setAttribute('aria-controls', id);
  input.autocomplete = 'off';

  let chosen = -1;
  let waiting;
  let asked;

  const choose = (place) => {
    list.children[chosen]?.setAttribute('aria-selected', 'false');
    chosen = place;
    const option = list.children[chosen];
    if (option) {
      option.setAttribute('aria-selected', 'true');
      option.scrollIntoView({ block: 'nearest' });
      input.setAttribute('aria-activedescendant', option.id);
    } else {
      input.removeAttribute('aria-activedescendant');
    }
  };
  const close = () => {
    clearTimeout(waiting);
    asked?.abort();
    choose(-1);
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
  };
  const open = () => {
    if (!list.children.length || document.activeElement !== input) return;
    list.hidden = false;
    input.setAttribute('aria-expanded', 'true');
  };
  const ask = async () => {
    const query = input.value.trim();
    asked?.abort();
    if (query.length < 2) {
      list.replaceChildren();
      status.textContent = '';
      close();
      return;
    }
    asked = new AbortController();
    const { signal } = asked;
    try {
      const fragment = await optionsFor(input, query, signal);
      if (!fragment || signal.aborted) return;
      choose(-1);
      list.replaceChildren(...fragment.children);
      for (const [place, option] of [...list.children].entries()) {
        option.id = `${id}-${place}`;
        option.setAttribute('aria-selected', 'false');
      }
      const number = Math.max(0, list.children.length - 1);
      status.textContent = number
        ? `${number} ${number === 1 ? 'question' : 'questions'}: choose with the arrow keys.`
        : 'No question yet.';
      if (number) open();
      else close();
    } catch {
      // The next key asks again, and the form works as it is.
    }
  };

  input.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    const last = list.children.length - 1;
    if (event.key === 'Escape' && !list.hidden) {
      event.preventDefault();
      close();
    } else if (event.key === 'Enter') {
      const option = list.hidden ? null : list.children[chosen];
      close();
      if (!option) return;
      event.preventDefault();
      location.assign(option.dataset.href);
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (last < 0) return;
      event.preventDefault();
      const down = event.key === 'ArrowDown';
      if (list.hidden) {
        open();
        choose(down ? 0 : last);
      } else if (down) {
        choose(chosen < last ? chosen + 1 : -1);
      } else {
        choose(chosen < 0 ? last : chosen - 1);
      }
    }
  });
  input.addEventListener('focus', () => { if (input.value.trim().length > 1) open(); });
  input.addEventListener('blur', close);
  // The box keeps the focus: a click must not close the list before it arrives.
  list.addEventListener('mousedown', (event) => event.preventDefault());
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]');
    if (!option) return;
    if (event.ctrlKey || event.metaKey) window.open(option.dataset.href, '_blank', 'noopener');
    else location.assign(option.dataset.href);
  });
}
