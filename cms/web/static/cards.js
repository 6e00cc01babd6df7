// The cards of a study page: the ones that stand in it already, and others as they are asked for.

const held = new Map();

export const gone = Symbol('gone');

// Take the cards that the page came with: they are moved, not copied, so that they stay whole.
export function takeFrom(list) {
  for (const card of list.querySelectorAll('.flashcard')) held.set(card.dataset.slug, Promise.resolve(card));
}

// A site that stands in files names them by their kind.
const ENDING = 'frozen' in document.documentElement.dataset ? '.html' : '';

async function load(base, slug) {
  const response = await fetch(`${base}${slug}${ENDING}`);
  if (response.status === 404 || response.status === 410) return gone;
  if (!response.ok) throw new Error(`status ${response.status}`);
  const part = document.createElement('template');
  part.innerHTML = await response.text();
  // Relative links count from the card's own address, wherever it is put.
  for (const name of ['href', 'src']) {
    for (const element of part.content.querySelectorAll(`[${name}]:not([${name}^='#'])`)) {
      element.setAttribute(name, new URL(element.getAttribute(name), response.url).href);
    }
  }
  return part.content.querySelector('.flashcard') ?? gone;
}

// Return the element of a card; `gone` where it was withdrawn. It throws without a connection.
export function cardOf(base, slug) {
  if (!held.has(slug)) {
    const loading = load(base, slug);
    held.set(slug, loading);
    loading.catch(() => held.delete(slug));
  }
  return held.get(slug);
}

// Put a card into the page with its answer folded, and return its heading.
export function place(slot, card) {
  for (const fold of card.querySelectorAll('.reveal, .choice-check')) fold.open = false;
  for (const input of card.querySelectorAll('.choice > input')) input.checked = false;
  slot.replaceChildren(card);
  if (!card.dataset.arrived && !card.querySelector('.code-head button')) {
    card.dispatchEvent(new Event('arrived', { bubbles: true }));
  }
  card.dataset.arrived = 'yes';
  return card.querySelector('.stem');
}

// Give a heading the focus, with the line above the card in view: where one is, and how to go back.
export function attend(heading, line) {
  heading.focus({ preventScroll: true });
  const { top } = line.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) line.scrollIntoView();
}

export function tell(element, words) {
  element.textContent = words;
  element.hidden = !words;
}

// Add a row of cells to a table; a cell is text, or an element.
export function addRow(body, cells) {
  const row = body.insertRow();
  cells.forEach((cell, index) => {
    const made = document.createElement(index ? 'td' : 'th');
    if (!index) made.scope = 'row';
    made.append(cell);
    row.append(made);
  });
}

export const counted = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
