// What a site that stands in files suggests while one types in its search box.

import { cardOf } from './cards.js';
import { each, find, stemOf } from './finding.js';

const SUGGESTED = 8; // questions

function option(address, ...children) {
  const element = document.createElement('li');
  element.setAttribute('role', 'option');
  element.dataset.href = address.href;
  element.append(...children);
  return element;
}

export async function suggested(address, query) {
  const index = new URL(address, document.baseURI);
  const root = new URL('..', index);
  const found = await find(index, query);
  const options = new DocumentFragment();
  for await (const { slug, stem } of each(found, (name) => cardOf(new URL('study/cards/', root).href, name))) {
    if (options.children.length === SUGGESTED) break;
    options.append(option(new URL(`questions/${slug}/`, root), stemOf(stem, found.terms)));
  }
  if (options.children.length) {
    const all = option(new URL(`questions/?${new URLSearchParams({ q: query })}`, root), `All results for “${query}”`);
    all.className = 'all';
    options.append(all);
  }
  return options;
}
