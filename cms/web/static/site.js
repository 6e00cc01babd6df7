// What pages gain with scripts on; every page is complete without them.

// Each code block gets a button that copies it.
if (navigator.clipboard) {
  for (const head of document.querySelectorAll('.code:not(.code-output) > .code-head')) {
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

// Where the bank does not know its own address, the browser does.
for (const link of document.querySelectorAll('a.permalink')) link.textContent = link.href;
