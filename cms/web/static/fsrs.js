// FSRS-6, the Free Spaced Repetition Scheduler: when a card comes again.
//
// The formulas are those of "The Algorithm" in the wiki of open-spaced-repetition (FSRS-6); the
// default parameters, the learning steps and the bounds are those of its reference scheduler,
// py-fsrs 6.3. Intervals have no fuzz: the same history always gives the same day.
//
// A card is { state, step, stability, difficulty, due, reviewed }: state 'learning', 'review' or
// 'relearning'; step counts the steps of the former from 0, null in 'review'; stability is the
// days after which the chance to recall it has fallen to 0.9; difficulty goes from 1 to 10; due
// and reviewed are milliseconds since the epoch. A new card is null. Grades go from 1 to 4.

export const AGAIN = 1;
export const HARD = 2;
export const GOOD = 3;
export const EASY = 4;

const W = [
  0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
  1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
];
const RETENTION = 0.9;
const DECAY = -W[20];
const FACTOR = 0.9 ** (1 / DECAY) - 1;
const LEAST_STABILITY = 0.001;
const LONGEST = 36500; // days

const MINUTE = 60_000;
export const DAY = 86_400_000;
const STEPS = { learning: [MINUTE, 10 * MINUTE], relearning: [10 * MINUTE] };

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

// Round half to even, as the reference does.
function round(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

// The chance to recall a card that was reviewed so many days ago.
export function retrievability(stability, days) {
  return (1 + FACTOR * days / stability) ** DECAY;
}

function startingDifficulty(grade) {
  return W[4] - Math.exp(W[5] * (grade - 1)) + 1;
}

function nextDifficulty(difficulty, grade) {
  const damped = difficulty + (10 - difficulty) * -W[6] * (grade - 3) / 9;
  return clamp(W[7] * startingDifficulty(EASY) + (1 - W[7]) * damped, 1, 10);
}

// Recalled, or not, on the day of the last review.
function sameDayStability(stability, grade) {
  const growth = Math.exp(W[17] * (grade - 3 + W[18])) * stability ** -W[19];
  return stability * (grade === AGAIN ? growth : Math.max(growth, 1));
}

function forgottenStability({ difficulty, stability }, recall) {
  const long = W[11] * difficulty ** -W[12] * ((stability + 1) ** W[13] - 1)
    * Math.exp((1 - recall) * W[14]);
  return Math.min(long, stability / Math.exp(W[17] * W[18]));
}

function recalledStability({ difficulty, stability }, recall, grade) {
  const weight = { [HARD]: W[15], [EASY]: W[16] }[grade] ?? 1;
  return stability * (1 + Math.exp(W[8]) * (11 - difficulty) * stability ** -W[9]
    * (Math.exp((1 - recall) * W[10]) - 1) * weight);
}

function nextStability(card, grade, days) {
  if (days < 1) return sameDayStability(card.stability, grade);
  const recall = retrievability(card.stability, days);
  return grade === AGAIN ? forgottenStability(card, recall) : recalledStability(card, recall, grade);
}

// Days until the chance to recall a card has fallen to the wanted retention.
function interval(stability) {
  return clamp(round(stability / FACTOR * (RETENTION ** (1 / DECAY) - 1)), 1, LONGEST);
}

// The state and the step after a grade; the wait is in milliseconds, null until a day is reckoned.
function nextStep(state, step, grade) {
  if (state === 'review') {
    return grade === AGAIN
      ? { state: 'relearning', step: 0, wait: STEPS.relearning[0] }
      : { state, step: null, wait: null };
  }
  const steps = STEPS[state];
  if (grade === AGAIN) return { state, step: 0, wait: steps[0] };
  if (grade === HARD && step < steps.length) {
    const wait = step > 0 ? steps[step] : steps.length > 1 ? (steps[0] + steps[1]) / 2 : steps[0] * 1.5;
    return { state, step, wait };
  }
  if (grade === GOOD && step + 1 < steps.length) return { state, step: step + 1, wait: steps[step + 1] };
  return { state: 'review', step: null, wait: null };
}

// Return the card after it was graded at a time (milliseconds). `days` are the whole days since
// its last review; the reference counts 24 hours, a reader's calendar may say otherwise.
export function review(card, grade, at, days = card && Math.max(0, Math.floor((at - card.reviewed) / DAY))) {
  const stability = Math.max(card ? nextStability(card, grade, days) : W[grade - 1], LEAST_STABILITY);
  const difficulty = card ? nextDifficulty(card.difficulty, grade) : clamp(startingDifficulty(grade), 1, 10);
  const { state, step, wait } = nextStep(card?.state ?? 'learning', card ? card.step : 0, grade);
  return { state, step, stability, difficulty, due: at + (wait ?? interval(stability) * DAY), reviewed: at };
}
