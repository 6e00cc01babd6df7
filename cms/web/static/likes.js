// While a stem is typed: which questions read like it, as the server finds them.

const place = document.querySelector('[data-likes]');
const stem = document.getElementById('stem');
let timer;
let turn = 0;

async function look() {
  const mine = ++turn;
  const address = new URL(place.dataset.likes, location);
  address.searchParams.set('stem', stem.value);
  const response = await fetch(address).catch(() => null);
  if (mine !== turn || !response?.ok || response.redirected) return;
  const found = await response.text();
  // What says the same again is not announced again.
  if (found.trim() !== place.innerHTML.trim()) place.innerHTML = found;
}

if (place && !stem.readOnly) {
  stem.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(look, 500);
  });
}
