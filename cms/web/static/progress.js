// What this browser knows of each card, in IndexedDB: thousands of cards with their reviews are
// more than localStorage holds, and a grade is one transaction, so that two tabs lose none.
//
// A record is a card of fsrs.js with `uid`, `slug`, the `revision` that was seen, `begun` (its
// first review) and `reviews`, the latest of [time, grade]. Times are milliseconds.

import { DAY, review } from './fsrs.js';

const REVIEWS = 100; // kept of one card
const FORMAT = 'question-bank-progress';
const VERSION = 1;
const GRADES = ['again', 'hard', 'good', 'easy'];
const STATES = { learning: 2, review: 0, relearning: 1 }; // and how many steps each has
const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;

// What is wrong with a file, said to the reader.
export class DamagedFile extends Error {}

let opened;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('question-bank', 1);
    request.onupgradeneeded = () => {
      const cards = request.result.createObjectStore('cards', { keyPath: 'uid' });
      cards.createIndex('due', 'due');
      cards.createIndex('begun', 'begun');
      cards.createIndex('reviewed', 'reviewed');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

const result = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const done = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = () => resolve();
  transaction.onabort = () => reject(transaction.error);
  transaction.onerror = () => reject(transaction.error);
});

async function cards(mode) {
  const transaction = (await database()).transaction('cards', mode, { durability: 'strict' });
  return transaction.objectStore('cards');
}

// --- days are the reader's own ------------------------------------------------------------------

export function startOfDay(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}

// Calendar days between two times: what was learnt late yesterday was learnt a day ago.
function daysBetween(from, to) {
  return Math.max(0, Math.round((startOfDay(to) - startOfDay(from)) / DAY));
}

// A card of minutes is due to the minute, one of days all through its day.
export function isDue(record, now) {
  return (record.state === 'review' ? startOfDay(record.due) : record.due) <= now;
}

// Return a record after a grade, as it would be written.
export function graded(record, grade, at) {
  return review(record, grade, at, record && daysBetween(record.reviewed, at));
}

// --- one card --------------------------------------------------------------------------------------

export async function find(uid) {
  return (await result((await cards('readonly')).get(uid))) ?? null;
}

export async function findAll(uids) {
  const wanted = new Set(uids);
  const all = await result((await cards('readonly')).getAll());
  return new Map(all.filter((record) => wanted.has(record.uid)).map((record) => [record.uid, record]));
}

// Write a grade of a card { uid, slug, revision } down, upon whatever another tab wrote meanwhile.
// Return its record before, null for a new card, and after.
export async function writeGrade(card, grade, at) {
  const store = await cards('readwrite');
  const before = (await result(store.get(card.uid))) ?? null;
  const time = Math.max(at, before?.reviewed ?? 0);
  const after = {
    uid: card.uid,
    slug: card.slug,
    revision: card.revision,
    ...graded(before, grade, time),
    begun: before?.begun ?? time,
    reviews: [...(before?.reviews ?? []), [time, grade]].slice(-REVIEWS),
  };
  store.put(after);
  await done(store.transaction);
  return { before, after };
}

// Take a grade back. Return false where something came after it, which stays.
export async function undo({ before, after }) {
  const store = await cards('readwrite');
  const now = await result(store.get(after.uid));
  const last = now && now.reviewed === after.reviewed && now.reviews.length === after.reviews.length;
  if (last) {
    if (before) store.put(before); else store.delete(after.uid);
  }
  await done(store.transaction);
  return Boolean(last);
}

// Ask the browser, once, not to drop this when it runs short of room.
export async function askToPersist() {
  try {
    if (!(await navigator.storage.persisted())) await navigator.storage.persist();
  } catch { /* An older browser decides by itself. */ }
}

// --- all of them ---------------------------------------------------------------------------------

export async function begunToday(now) {
  const store = await cards('readonly');
  return result(store.index('begun').count(IDBKeyRange.lowerBound(startOfDay(now))));
}

export async function counts(now) {
  const store = await cards('readonly');
  const tomorrow = startOfDay(startOfDay(now) + 1.5 * DAY);
  const before = (time) => result(store.index('due').count(IDBKeyRange.upperBound(time, true)));
  const [all, today, week, done_, records] = await Promise.all([
    result(store.count()),
    before(tomorrow),
    before(startOfDay(tomorrow + 6.5 * DAY)),
    result(store.index('reviewed').count(IDBKeyRange.lowerBound(startOfDay(now)))),
    result(store.getAll()),
  ]);
  return { all, today, week, done: done_, known: records.filter((each) => each.stability >= 21).length };
}

export async function forgetAll() {
  const store = await cards('readwrite');
  store.clear();
  await done(store.transaction);
}

// --- a file -----------------------------------------------------------------------------------------

const iso = (time) => new Date(time).toISOString();

// Return everything as the text of a file (docs/formats.md, 'Progress').
export async function written(now) {
  const all = await result((await cards('readonly')).getAll());
  const file = {
    format: FORMAT,
    version: VERSION,
    exported_at: iso(now),
    cards: all.map((each) => ({
      uid: each.uid,
      slug: each.slug,
      revision: each.revision,
      state: each.state,
      step: each.step,
      stability: each.stability,
      difficulty: each.difficulty,
      due: iso(each.due),
      last_review: iso(each.reviewed),
      first_review: iso(each.begun),
      reviews: each.reviews.map(([at, grade]) => ({ at: iso(at), grade: GRADES[grade - 1] })),
    })),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

function check(holds, place, words) {
  if (!holds) throw new DamagedFile(`${place} ${words}. Nothing was changed.`);
}

function time(value, place, name) {
  const read = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : NaN;
  check(Number.isFinite(read) && read >= 0, place, `has no time as its ‘${name}’`);
  return read;
}

function record(given, index) {
  const place = `Card ${index + 1} of the file`;
  const isNumber = (value, least, most) => typeof value === 'number' && value >= least && value <= most;
  check(given && typeof given === 'object', place, 'is no card');
  check(UID.test(given.uid), place, 'has no uid');
  check(typeof given.slug === 'string' && SLUG.test(given.slug), place, 'has no address as its ‘slug’');
  check(Number.isInteger(given.revision) && given.revision > 0, place, 'has no number as its ‘revision’');
  check(Object.hasOwn(STATES, given.state), place, 'has a ‘state’ that does not exist');
  const steps = STATES[given.state];
  check(
    steps ? Number.isInteger(given.step) && given.step >= 0 && given.step < steps : given.step === null,
    place, 'has a ‘step’ that its state does not have',
  );
  check(isNumber(given.stability, 0.001, 1e9), place, 'has a ‘stability’ that cannot be');
  check(isNumber(given.difficulty, 1, 10), place, 'has a ‘difficulty’ that is not from 1 to 10');
  check(Array.isArray(given.reviews), place, 'has no ‘reviews’');
  return {
    uid: given.uid,
    slug: given.slug,
    revision: given.revision,
    state: given.state,
    step: given.step,
    stability: given.stability,
    difficulty: given.difficulty,
    due: time(given.due, place, 'due'),
    reviewed: time(given.last_review, place, 'last_review'),
    begun: time(given.first_review, place, 'first_review'),
    reviews: given.reviews.slice(-REVIEWS).map((each) => {
      const grade = GRADES.indexOf(each?.grade) + 1;
      check(grade > 0, place, 'has a review whose ‘grade’ does not exist');
      return [time(each.at, place, 'at'), grade];
    }),
  };
}

// Return the records of a file's text. Throw DamagedFile where it is not whole.
export function read(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new DamagedFile('This file cannot be read: it is no JSON, or a part of it is missing. Nothing was changed.');
  }
  check(file?.format === FORMAT, 'This file', 'holds no progress that was saved here');
  check(file.version === VERSION, 'This file', `is of version ${file.version}, and this page reads version ${VERSION}: reload the page`);
  check(Array.isArray(file.cards), 'This file', 'has no cards');
  return file.cards.map(record);
}

// Put records among the ones that are here: of each card the one that was reviewed last stays.
export async function merge(records) {
  const store = await cards('readwrite');
  const held = new Map((await result(store.getAll())).map((each) => [each.uid, each]));
  const said = { added: 0, newer: 0, kept: 0 };
  for (const each of records) {
    const own = held.get(each.uid);
    if (own && own.reviewed >= each.reviewed) {
      said.kept += 1;
      continue;
    }
    said[own ? 'newer' : 'added'] += 1;
    held.set(each.uid, each);
    store.put(each);
  }
  await done(store.transaction);
  return said;
}
