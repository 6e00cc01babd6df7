// Study mode: one card at a time, what is due first, then new ones.

import { addRow, attend, cardOf, counted, gone, place, takeFrom, tell } from './cards.js';
import { DAY } from './fsrs.js';
import { onKeys } from './keys.js';
import * as progress from './progress.js';

const MINUTE = 60_000;
// With nothing else to ask, a card that comes within this time is asked early.
const AHEAD = 20 * MINUTE;
const MORE = 10; // new cards, for who wants some more today
const GRADES = ['again', 'hard', 'good', 'easy'];

const session = document.getElementById('session');
const part = (id) => document.getElementById(id);

let cards = []; // of the selection: { uid, slug, revision }, in its order
let records = new Map(); // by uid, of those that were graded
const places = new Map(); // of each card in a shuffled order
const missing = new Set(); // withdrawn since the page was made
const steps = []; // grades of this session that can be taken back
let extra = 0; // new cards beyond the day's limit
let now = null; // the card that is asked
let busy = false;

// --- what the reader has set ------------------------------------------------------------------

function kept(name, fallback) {
  try { return localStorage.getItem(name) ?? fallback; } catch { return fallback; }
}

function keep(name, value) {
  try { localStorage.setItem(name, value); } catch { /* It holds for this page, then. */ }
}

const settings = { perDay: 20, shuffle: false };

function readSettings() {
  settings.perDay = Number(kept('study-new-per-day', '20')) || 0;
  settings.shuffle = kept('study-shuffle', 'off') === 'on';
  part('new-per-day').value = settings.perDay;
  part('shuffle').checked = settings.shuffle;
}

session?.addEventListener('change', (event) => {
  if (event.target.id === 'new-per-day') {
    if (!event.target.reportValidity() || event.target.value === '') return;
    settings.perDay = event.target.valueAsNumber;
    keep('study-new-per-day', settings.perDay);
  } else if (event.target.id === 'shuffle') {
    settings.shuffle = event.target.checked;
    keep('study-shuffle', settings.shuffle ? 'on' : 'off');
  } else return;
  // The card that is asked stays; what follows is another.
  if (now) count(); else ask();
});

// --- what to ask ----------------------------------------------------------------------------------

const byDue = (one, other) => records.get(one.uid).due - records.get(other.uid).due;
const byPlace = (one, other) => places.get(one.uid) - places.get(other.uid);

// What waits at a time: `steps` are cards of minutes, by when they come; `fresh` has no limit yet.
function waiting(time) {
  const found = { steps: [], due: [], fresh: [] };
  for (const card of cards) {
    if (missing.has(card.uid)) continue;
    const record = records.get(card.uid);
    if (!record) found.fresh.push(card);
    else if (record.state !== 'review') found.steps.push(card);
    else if (progress.isDue(record, time)) found.due.push(card);
  }
  found.steps.sort(byDue);
  found.due.sort(settings.shuffle ? byPlace : byDue);
  if (settings.shuffle) found.fresh.sort(byPlace);
  return found;
}

async function allowed(time) {
  return Math.max(0, settings.perDay - await progress.begunToday(time)) + extra;
}

// The cards to ask at a time, the next one first.
async function queue(time) {
  const { steps: minutes, due, fresh } = waiting(time);
  const ready = minutes.filter((card) => records.get(card.uid).due <= time);
  const soon = minutes.filter((card) => records.get(card.uid).due > time && records.get(card.uid).due <= time + AHEAD);
  return [...ready, ...due, ...fresh.slice(0, await allowed(time)), ...soon];
}

async function count() {
  const time = Date.now();
  const { steps: minutes, due, fresh } = waiting(time);
  const left = Math.min(fresh.length, await allowed(time));
  part('progress').textContent = `${due.length + minutes.length} due · ${left} new · ${steps.length} done`;
}

// --- a card ------------------------------------------------------------------------------------------

function wait(span) {
  const units = [[60, MINUTE, 'min', ''], [24, 60 * MINUTE, 'hour'], [31, DAY, 'day'], [12, 30.44 * DAY, 'month']];
  for (const [most, size, word, ending = 's'] of units) {
    const number = Math.max(1, Math.round(span / size));
    if (span < most * size) return `${number} ${word}${number === 1 ? '' : ending}`;
  }
  return `${(span / (365.25 * DAY)).toFixed(1)} years`;
}

async function ask(wanted = null, { focus = true } = {}) {
  const [card = null, next = null] = wanted ? [wanted] : await queue(Date.now());
  if (!card) return end(focus);
  // Another tab may have graded it meanwhile.
  const record = await progress.find(card.uid);
  if (record?.reviewed !== records.get(card.uid)?.reviewed) {
    if (record) records.set(card.uid, record); else records.delete(card.uid);
    if (!wanted) return ask(null, { focus });
  }
  let element;
  try {
    element = await cardOf(session.dataset.cards, card.slug);
  } catch {
    now = null;
    tell(part('said'), 'The next card did not come: the server cannot be reached. What you graded is kept.');
    part('retry').hidden = false;
    return part('retry').focus();
  }
  if (element === gone) {
    missing.add(card.uid);
    return ask(null, { focus });
  }
  now = { ...card, record, revision: Number(element.dataset.revision) };
  part('end').hidden = true;
  part('retry').hidden = true;
  part('grades').hidden = true;
  part('changed').hidden = !record || record.revision >= now.revision;
  const heading = place(part('card'), element);
  if (settings.shuffle) shuffleOptions(element, places.get(card.uid));
  await count();
  if (focus) attend(heading, part('progress').parentElement);
  if (next) cardOf(session.dataset.cards, next.slug).catch(() => { /* It is asked for again. */ });
  return undefined;
}

// --- its options ---------------------------------------------------------------------------------

const optionsOf = () => [...part('card').querySelectorAll('.choice > input')];
const checked = () => part('card').querySelector('.choice-check')?.open;

// Numbers from 0 to 1 that a seed decides (mulberry32).
function* numbers(seed) {
  for (let state = seed; ; ) {
    state = (state + 0x6D2B79F5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

// The card's place in the shuffled order is the seed: a card that comes again looks the same.
function shuffleOptions(card, seed) {
  const random = numbers(Math.floor(seed * 2 ** 32));
  const ranked = [...card.querySelectorAll('.choice')]
    .sort((one, other) => one.querySelector('input').id.localeCompare(other.querySelector('input').id))
    .map((option) => [random.next().value, option]).sort(([one], [other]) => one - other);
  for (const [, option] of ranked) option.parentElement.append(option);
}

function choose(number) {
  const input = optionsOf()[number - 1];
  if (!now || !input || checked()) return false;
  input.click();
  input.focus();
  return true;
}

function check() {
  const fold = part('card').querySelector('.choice-check');
  if (!now || !fold || fold.open) return false;
  fold.open = true;
  opened(fold);
  return true;
}

// Say what came of the choice, and suggest a grade; who chose nothing only looked.
function judge(fold) {
  const options = optionsOf();
  const chosen = options.some((each) => each.checked);
  const right = chosen && options.every((each) => each.checked === 'right' in each.dataset);
  const words = right ? 'That is right.' : chosen ? 'Not quite: see what is marked above.' : 'What is right is marked above.';
  fold.querySelector('p').textContent = words;
  offerGrades(chosen ? (right ? 3 : 1) : 0);
}

function offerGrades(suggested = 0) {
  const time = Date.now();
  for (const button of part('grades').children) {
    const { due } = progress.graded(now.record, Number(button.dataset.grade), time);
    const suggests = Number(button.dataset.grade) === suggested;
    button.toggleAttribute('data-suggested', suggests);
    button.querySelector('.interval').textContent = wait(due - time) + (suggests ? ' · suggested' : '');
  }
  part('grades').hidden = false;
}

// One thing at a time: a key that is hit twice grades one card.
async function alone(action) {
  if (busy) return;
  busy = true;
  try {
    await action();
  } catch {
    tell(part('said'), 'That could not be kept: the browser did not let it be written. Free some room on this device, then grade again.');
  } finally {
    busy = false;
  }
}

function grade(given) {
  if (!now || part('grades').hidden) return false;
  alone(async () => {
    const step = await progress.writeGrade(now, given, Date.now());
    if (!steps.length) progress.askToPersist();
    steps.push({ card: now, grade: given, ...step });
    records.set(now.uid, step.after);
    tell(part('said'), '');
    part('undo').hidden = false;
    await ask();
  });
  return true;
}

function undo() {
  if (!steps.length) return false;
  alone(async () => {
    const step = steps.pop();
    part('undo').hidden = !steps.length;
    const taken = await progress.undo(step);
    tell(part('said'), taken ? '' : 'Another tab graded this card since, so that its grade stays.');
    if (taken && step.before) records.set(step.card.uid, step.before);
    else if (taken) records.delete(step.card.uid);
    await ask(step.card);
  });
  return true;
}

function reveal() {
  const answer = part('card').querySelector('.reveal');
  if (!now || !answer || answer.open) return false;
  answer.open = true;
  opened(answer);
  return true;
}

// The event of an opened fold comes later than a key that follows at once: it may come after this ran.
function opened(fold) {
  if (fold.matches('.choice-check')) judge(fold);
  // Who looks at the answer sees what was right, too.
  else if (fold.matches('.reveal') && !check() && !checked()) offerGrades();
}

// --- the end --------------------------------------------------------------------------------------------

function day(due, time) {
  const days = Math.round((progress.startOfDay(due) - progress.startOfDay(time)) / DAY);
  if (days < 1) return 'today';
  if (days === 1) return 'tomorrow';
  return days < 8 ? `in ${days} days` : 'later';
}

async function end(focus) {
  now = null;
  const time = Date.now();
  part('card').replaceChildren();
  for (const id of ['grades', 'changed', 'retry']) part(id).hidden = true;
  await count();
  const tally = GRADES.map((word, index) => [word, steps.filter((step) => step.grade === index + 1).length])
    .filter(([, number]) => number).map(([word, number]) => `${number} ${word}`);
  part('end-title').textContent = steps.length ? 'Done for now' : 'Nothing is due now';
  part('end-lead').textContent = steps.length ? `${counted(steps.length, 'grade')}: ${tally.join(', ')}.` : '';
  const days = new Map();
  for (const record of [...records.values()].sort((one, other) => one.due - other.due)) {
    const words = day(record.due, time);
    days.set(words, (days.get(words) ?? 0) + 1);
  }
  part('end-due').replaceChildren();
  for (const [words, number] of days) addRow(part('end-due'), [words, counted(number, 'card')]);
  part('end-due').parentElement.hidden = !days.size;
  const { fresh } = waiting(time);
  part('more-new').hidden = !fresh.length;
  part('more-new').textContent = `Take ${counted(Math.min(MORE, fresh.length), 'new card')} more`;
  part('end').hidden = false;
  if (focus) part('end-title').focus();
}

// --- the session --------------------------------------------------------------------------------------

async function begin() {
  readSettings();
  const response = await fetch(session.dataset.list);
  if (!response.ok) throw new Error(`status ${response.status}`);
  const found = await response.json();
  cards = found.cards.map(([uid, slug, revision]) => ({ uid, slug, revision }));
  for (const card of cards) places.set(card.uid, Math.random());
  records = await progress.findAll(cards.map((card) => card.uid));
  if (found.more) {
    tell(part('said'), `These are the first ${Number(session.dataset.limit).toLocaleString('en')} cards: choose a tag or a deck for the others.`);
  }
  takeFrom(document.querySelector('.plain'));
  await ask(null, { focus: false });
  session.dataset.begun = 'yes';
}

// Where nothing can be kept, or nothing comes, the cards stand one after another as without scripts.
function standBack() {
  document.querySelector('main').classList.add('by-hand');
  tell(part('plainly'), 'This browser lets nothing be kept here, or the server cannot be reached: here are the cards one after another.');
}

if (session) {
  session.addEventListener('toggle', (event) => {
    if (event.target.open && now) opened(event.target);
  }, true);
  session.addEventListener('click', (event) => {
    const pressed = event.target.closest('button');
    if (!pressed) return;
    if (pressed.dataset.grade) grade(Number(pressed.dataset.grade));
    else if (pressed.id === 'undo') undo();
    else if (pressed.id === 'retry') alone(() => { tell(part('said'), ''); return ask(); });
    else if (pressed.id === 'more-new') alone(() => { extra += MORE; return ask(); });
  });
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => [digit, () => choose(digit) || (digit < 5 && grade(digit))]);
  onKeys({ ' ': reveal, enter: check, u: undo, ...Object.fromEntries(digits) });
  begin().catch(standBack);
}
