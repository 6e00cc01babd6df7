// A page of what a search found, as the server would write it.

import { cardOf } from './cards.js';
import { each, find, passage, stemOf } from './finding.js';

const PAGE = 20; // questions

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const link = (href, properties, ...children) => made('a', { href, ...properties }, ...children);
const counted = (number) => `${number.toLocaleString('en')} question${number === 1 ? '' : 's'}`;

function when(moment) {
  const date = new Date(moment);
  const words = (month) => date.toLocaleDateString('en-GB', { day: 'numeric', month, year: 'numeric', timeZone: 'UTC' }).replace('Sept', 'Sep');
  return made('time', { dateTime: moment, title: `${words('long')}, ${moment.slice(11, 19)} UTC` }, words('short'));
}

async function item(shown, terms, root, card) {
  const side = made('span', { className: 'side' }, when(shown.updated));
  if (shown.correction) side.append(' · ', link(new URL(`corrections/${shown.correction}/`, root), {}, `correction ${shown.correction}`));
  const line = made('li', {}, link(new URL(`questions/${shown.slug}/`, root), { className: 'title' }, stemOf(shown.stem, terms)), ' ', side);
  const text = await card(shown.slug).catch(() => null);
  if (text?.querySelector) line.append(passage(text, terms));
  return line;
}

function nothing(query, terms, root) {
  const part = made('div', { className: 'empty' });
  part.append(made('p', {}, made('b', {}, terms.length ? 'Nothing matches.' : `“${query}” has no word to search for.`), ' ',
    terms.length > 1 ? 'A search finds questions that have every word.' : '',
    terms.length ? '' : 'A search looks for words and numbers, and for names such as url_for or C++.'));
  if (terms.length) part.append(made('p', {}, 'Try fewer words, another word for the same thing, or the beginning of one. Look at the spelling, too: here nobody guesses what was meant.'));
  part.append(made('p', {}, 'Or see ', link(new URL('tags/', root), {}, 'all tags'), ' and ', link(new URL('questions/', root), {}, 'all questions'), '.'));
  return part;
}

function pager(query, page, more) {
  const to = (number) => `?${new URLSearchParams({ q: query, ...(number > 1 && { page: number }) })}`;
  const nav = made('nav', { className: 'pager', ariaLabel: 'Pages' });
  if (page > 1) nav.append(link(to(1), {}, '← First page'));
  if (more) nav.append(link(to(page + 1), { className: 'next', rel: 'next' }, 'Next page →'));
  return nav.children.length ? nav : '';
}

export async function showResults(place, query, page) {
  const box = document.querySelector('main input[data-index]');
  const index = new URL(box.dataset.index, document.baseURI);
  const root = new URL('..', index);
  const cards = new URL('study/cards/', root).href;
  const card = (slug) => cardOf(cards, slug);
  box.value = query;
  document.title = document.title.replace(/^.*(?= · )/, `“${query}”`);
  const found = await find(index, query);
  const some = [];
  let more = false;
  let passed = 0;
  for await (const shown of each(found, card)) {
    if (some.length === PAGE) {
      more = true;
      break;
    }
    if (passed >= (page - 1) * PAGE) some.push(shown);
    passed += 1;
  }
  const chips = made('ul', { className: 'tags chips', ariaLabel: 'Filters in effect' });
  chips.append(made('li', {}, link(new URL('questions/', root), { className: 'tag' }, made('span', { className: 'visually-hidden' }, 'Remove '), `“${query}” `, made('span', { ariaHidden: 'true' }, '×'))));
  place.replaceChildren(chips);
  if (!some.length) {
    place.append(nothing(query, found.terms, root));
    return;
  }
  const total = found.loose ? (more ? null : passed) : found.numbers.length;
  if (total !== null) place.append(made('p', { className: 'fine tally' }, made('span', {}, counted(total))));
  const list = made('ul', { className: 'list' });
  list.append(...await Promise.all(some.map((shown) => item(shown, found.terms, root, card))));
  place.append(list, pager(query, page, more));
}
