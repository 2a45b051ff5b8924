import { expect, test } from 'vitest';
import { addressHint, areSwapped, credentialHint } from './hints';

const ID = '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10';
const SECRET = 'a1b2c3d4-0000-4000-8000-1234567890ab';

test.each([
  ['', undefined],
  [ID, undefined],
  [ID.toUpperCase(), undefined],
])('a Client ID without fault: %s', (value, hint) => {
  expect(credentialHint('Client ID', value, SECRET)).toBe(hint);
});

test.each([
  [` ${ID}`, 'spaces', ID],
  [`${ID.slice(0, 8)} ${ID.slice(8)}`, 'spaces', ID],
  [`${ID}\u200b`, 'spaces', ID],
  [`"${ID}"`, 'quotation marks', ID],
  [`\u201c${ID}\u201d`, 'quotation marks', ID],
])('a Client ID that can be put right: %s', (value, said, repaired) => {
  const hint = credentialHint('Client ID', value, SECRET);
  expect(hint?.text).toContain(said);
  expect(hint?.repaired).toBe(repaired);
});

test.each([
  [ID.slice(0, 30), '30 of 36 characters', true],
  [ID.slice(0, 9), '9 of 36 characters', true],
  [`${ID}00`, '2 too many', false],
  ['https://ps.northfield.k12.us', 'the address', false],
  ['ps.northfield.k12.us', 'the address', false],
  ['hello', 'the form 8-4-4-4-12', false],
])('a Client ID that can’t: %s', (value, said, soft) => {
  const hint = credentialHint('Client ID', value, SECRET);
  expect(hint?.text).toContain(said);
  expect(hint?.soft).toBe(soft);
  expect(hint?.repaired).toBeUndefined();
});

test('the same value twice is not two credentials', () => {
  expect(credentialHint('Client Secret', ID, ID.toUpperCase())?.text).toContain('the same value');
});

test.each([
  ['https://ps.northfield.k12.us', undefined, undefined],
  ['ps.northfield.k12.us/admin/home.html', undefined, undefined],
  ['http://127.0.0.1:8080', undefined, undefined],
  ['http://[::1]:8080/', undefined, undefined],
  ['http://ps.northfield.k12.us', 'not encrypted', 'https://ps.northfield.k12.us'],
  ['http://127.0.0.1.example.org', 'not encrypted', 'https://127.0.0.1.example.org'],
  ['ftp://ps.northfield.k12.us', 'https://', undefined],
  ['"https://ps.northfield.k12.us"', 'quotation marks', 'https://ps.northfield.k12.us'],
  ['https://ps.north field.k12.us', 'space', 'https://ps.northfield.k12.us'],
  [ID, 'Client ID', undefined],
])('the address %s', (value, said, repaired) => {
  const hint = addressHint(value);
  if (said === undefined) expect(hint).toBeUndefined();
  else expect(hint?.text).toContain(said);
  expect(hint?.repaired).toBe(repaired);
});

test.each([
  [ID, 'https://ps.northfield.k12.us', true],
  [ID, 'ps.northfield.k12.us', true],
  ['https://ps.northfield.k12.us', ID, false],
  [ID, '', false],
])('%s and %s are swapped: %s', (address, credential, swapped) => {
  expect(areSwapped(address, credential)).toBe(swapped);
});
