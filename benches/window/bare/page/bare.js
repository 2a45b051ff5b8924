// As the product marks it: the first frame is about to be drawn, and what is in it can be used.
requestAnimationFrame(() => performance.mark('ready'));
