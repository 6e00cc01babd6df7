// Who else has this question open, and what they saved meanwhile: asked while the page is in sight.

const form = document.getElementById('editor');
const company = document.getElementById('company');
const news = document.getElementById('news');
const EVERY = 20_000;
// The page that this one follows may be saying goodbye still.
const FIRST = 1_000;
let timer;
let typed = false;
let staying = false;

function data() {
  const sent = new FormData();
  sent.set('csrf_token', form.elements.csrf_token.value);
  sent.set('seen_version', form.elements.seen_version.value);
  sent.set('typed', typed ? '1' : '0');
  return sent;
}

// The same words again would be read out again.
function say(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

async function beat() {
  clearTimeout(timer);
  if (document.hidden) return;
  typed = 'typed' in form.dataset;
  const response = await fetch(company.dataset.beat, { method: 'POST', body: data() }).catch(() => null);
  timer = setTimeout(beat, Number(company.dataset.every || EVERY));
  // Without an answer nobody can be said to be here.
  if (!response?.ok || response.redirected) {
    say(company, '');
    return;
  }
  const found = await response.json();
  say(company, found.others);
  news.querySelector('[data-notice]').hidden = !found.news;
  say(news.querySelector('[data-words]'), found.news);
  const link = news.querySelector('[data-diff]');
  link.href = link.href.replace(/revisions\/.*$/, `revisions/${found.latest_number}/?against=${form.elements.seen_version.value}`);
}

function leave() {
  clearTimeout(timer);
  if (!staying) navigator.sendBeacon(company.dataset.leave, data());
}

if (company) {
  timer = setTimeout(beat, FIRST);
  addEventListener('focus', beat);
  form.addEventListener('submit', () => { staying = true; });
  addEventListener('pageshow', () => { staying = false; });
  document.addEventListener('visibilitychange', beat);
  addEventListener('pagehide', leave);
  // Whoever begins to type is told of at once.
  const begin = () => { if (!typed && 'typed' in form.dataset) beat(); };
  form.addEventListener('input', begin);
  form.addEventListener('desk:changed', begin);
}
