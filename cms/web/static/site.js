// What pages gain with scripts on; every page is complete without them.

const search = document.querySelector('input[type=search]');

// '/' goes to the search box, except where it is being typed.
if (search) {
  for (const hint of search.form.querySelectorAll('kbd')) hint.hidden = false;
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable]');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
}

// Each code block gets a button that copies it.
function offerCopies(part) {
  for (const head of part.querySelectorAll('.code:not(.code-output) > .code-head')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(head.nextElementSibling.textContent);
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    head.append(button);
  }
}

if (navigator.clipboard) {
  offerCopies(document);
  // A script that brings in a part of a page says so on that part.
  document.addEventListener('arrived', (event) => offerCopies(event.target));
}

// Where the bank does not know its own address, the browser does.
for (const link of document.querySelectorAll('a.permalink')) link.textContent = link.href;
