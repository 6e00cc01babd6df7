// What pages gain with scripts on; every page is complete without them.

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

// Each heading in an answer leads to itself, to be copied.
for (const heading of document.querySelectorAll('[data-headings] :is(h3, h4, h5, h6)[id]')) {
  const link = document.createElement('a');
  link.className = 'anchor';
  link.href = `#${heading.id}`;
  link.textContent = '#';
  link.setAttribute('aria-label', `Link to ‘${heading.textContent}’`);
  heading.append(link);
}

// Where the bank does not know its own address, the browser does.
for (const link of document.querySelectorAll('a.permalink')) link.textContent = link.href;
for (const address of document.querySelectorAll('[data-href]')) {
  address.textContent = new URL(address.dataset.href, location.href).href;
}
