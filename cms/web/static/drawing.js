// A mock interview of a site that stands in files: what its address asks for is drawn here, not by
// a server. The same address draws the same questions for everybody.

import { cardOf, tell } from './cards.js';

const MOST = 30; // questions of one interview
const LONGEST = 240; // minutes
const PIECES = 24; // of the bank, of which a draw from all of it reads so many at most
const LEVELS = ['easy', 'medium', 'hard', 'any'];

const form = document.querySelector('form.ask');
const asked = new URLSearchParams(location.search);
const root = new URL('..', new URL(document.querySelector('[data-index]').dataset.index, document.baseURI));

class Refused extends Error {}

async function read(address) {
  const response = await fetch(new URL(address, root));
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

function number(name, fallback, meaning) {
  const value = asked.get(name);
  if (value === null || value === '') return fallback;
  if (!/^[0-9]{1,9}$/.test(value)) throw new Refused(`“${value.slice(0, 40)}” is not ${meaning}.`);
  return Number(value);
}

// A number that looks random and is always the same for the same seed and name (FNV-1a, mixed).
function rank(seed, name) {
  let hash = 2166136261;
  for (const char of `${seed}:${name}`) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const ranked = (seed, names) => names.map((name) => [rank(seed, name), name]).sort(([one], [other]) => one - other).map(([, name]) => name);

// The slugs and difficulties to draw from: a deck's, a tag's, or those of the bank at random places.
async function candidates(deck, tag, seed) {
  if (deck && tag) throw new Refused('Choose a deck or a tag, not both.');
  const list = await read(`study/list/${deck ? `deck/${encodeURIComponent(deck)}` : tag ? `tag/${encodeURI(tag)}` : 'all'}.json`);
  if (!list) throw new Refused(deck ? 'There is no deck at this address.' : `No public question has the tag “${tag}”.`);
  if (deck || tag || !list.more) return list.cards.map(([, slug, , difficulty]) => [slug, difficulty]);
  const { questions, documents } = await read('search/directory.json');
  const pieces = ranked(seed, [...Array(Math.ceil(questions / documents)).keys()]).slice(0, PIECES);
  const parts = await Promise.all(pieces.map((each) => read(`search/questions-${each}.json`)));
  return parts.flat().map(([slug, , , , difficulty]) => [slug, difficulty]);
}

function wanted() {
  const given = LEVELS.filter((name) => asked.has(name));
  // Without numbers, those of the form, which suit the bank.
  const numbers = Object.fromEntries(LEVELS.map((name) => [name, given.length
    ? number(name, 0, 'a number of questions') : Number(form.elements[name]?.value ?? 0)]));
  const sum = Object.values(numbers).reduce((one, other) => one + other, 0);
  if (sum < 1 || sum > MOST) throw new Refused(`Choose from 1 to ${MOST} questions, all difficulties together.`);
  return numbers;
}

async function draw(deck, tag, numbers, seed) {
  const among = await candidates(deck, tag, seed);
  const chosen = [];
  const levels = new Map(among);
  for (const [level, count] of Object.entries(numbers)) {
    const fitting = among.filter(([slug, difficulty]) => (level === 'any' || difficulty === level) && !chosen.includes(slug));
    chosen.push(...ranked(seed, fitting.map(([slug]) => slug)).slice(0, count));
  }
  return chosen.map((slug) => [slug, levels.get(slug) ?? 'none']);
}

async function put(drawn, minutes) {
  const list = document.querySelector('#drawn .flashcards');
  const cards = await Promise.all(drawn.map(([slug]) => cardOf(new URL('study/cards/', root).href, slug)));
  list.replaceChildren(...cards.map((card, place) => {
    // The card itself is asked for again when its answer is looked at.
    const copy = card.cloneNode(true);
    copy.dataset.difficulty = drawn[place][1];
    copy.dataset.tags = [...copy.querySelectorAll('.facts-line .tag')].map((tag) => tag.textContent).join(' ');
    copy.querySelector('.reveal').dataset.whole = 'yes';
    const item = document.createElement('li');
    item.append(copy);
    return item;
  }));
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
  const told = `${counted(drawn.length, 'question')} in ${counted(minutes, 'minute')}`;
  document.querySelector('#before .lead').textContent = `${told}. Answer aloud or in notes, then look, and judge yourself.`;
  document.getElementById('interview').dataset.minutes = minutes;
}

function refuse(words) {
  const notice = document.createElement('p');
  notice.className = 'notice warm';
  notice.setAttribute('role', 'alert');
  document.querySelector('main h1').after(notice);
  tell(notice, words);
  document.getElementById('interview')?.remove();
  const fold = form.closest('details');
  if (fold) fold.open = true;
}

// The form, and the link to another draw, say what was asked for.
function repeat(seed) {
  for (const field of form.elements) {
    if (field.name && asked.has(field.name)) field.value = asked.get(field.name);
  }
  if (seed === null) return;
  form.elements.seed.value = (seed + 1) % 1e9;
  const again = new URLSearchParams(new FormData(form));
  for (const link of document.querySelectorAll('#after a.quiet')) link.search = again;
}

async function begin() {
  const drawing = document.getElementById('interview');
  if (!drawing) {
    repeat(null);
    return;
  }
  try {
    const seed = number('seed', 1, 'the number of a draw');
    repeat(seed);
    const minutes = number('minutes', Number(form.elements.minutes.value), 'a number of minutes') || Number(form.elements.minutes.value);
    if (minutes > LONGEST) throw new Refused(`Choose at most ${LONGEST} minutes.`);
    const drawn = await draw(asked.get('deck') ?? '', (asked.get('tag') ?? '').trim().replace(/^\/+|\/+$/g, ''), wanted(), seed);
    if (!drawn.length) throw new Refused('No question fits: choose other difficulties, or fewer limits on which questions.');
    await put(drawn, minutes);
  } catch (error) {
    refuse(error instanceof Refused ? error.message : 'The questions did not come: their files cannot be reached. Load the page again.');
  }
}

await begin();
await import('./interview.js');
