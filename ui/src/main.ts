import './app.css';
import { speak } from './languages/language';
import { beginInShell } from './opening';

const opening = beginInShell();
// Text is looked up as modules are read: those with text come after the language.
if (await speak()) {
  const { show } = await import('./window');
  show(opening);
}
