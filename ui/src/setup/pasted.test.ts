import { describe, expect, test } from 'vitest';
import { looksLikeCredential, recognise, recognised } from './pasted';

const ID = '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10';
const SECRET = 'a1b2c3d4-0000-4000-8000-1234567890ab';
const URL = 'https://ps.northfield.k12.us';

describe('recognising pasted credentials', () => {
  test.each([
    ['labelled lines', `Client ID: ${ID}\nClient Secret: ${SECRET}\nURL: ${URL}`],
    ['labels on their own lines', `Client ID\n${ID}\nClient Secret\n${SECRET}\n${URL}`],
    ['the secret first', `Client Secret: ${SECRET}\nURL to access PowerSchool system: ${URL}\nClient ID: ${ID}`],
    ['no labels, in the order PowerSchool shows them', `${ID}\n${SECRET}\n${URL}`],
    ['a table row', `${URL}\t${ID}\t${SECRET}`],
    ['a sentence that ends behind the address', `Use ${ID} and ${SECRET} at ${URL}.`],
  ])('%s', (_, text) => {
    expect(recognise(text)).toEqual({ url: URL, clientId: ID, clientSecret: SECRET });
    expect(recognised(recognise(text))).toBe(3);
  });

  test('an address without a scheme counts on a line that says so', () => {
    expect(recognise(`Server: ps.northfield.k12.us:8443\n${ID}`).url).toBe('ps.northfield.k12.us:8443');
    expect(recognise('Write to help.desk@northfield.k12.us').url).toBeUndefined();
  });

  test('a single value is not a set of credentials', () => {
    expect(recognised(recognise(ID))).toBe(1);
    expect(recognised(recognise('nothing of the kind'))).toBe(0);
  });

  test('capitals are kept as they were', () => {
    expect(recognise(ID.toUpperCase()).clientId).toBe(ID.toUpperCase());
  });
});

test.each([
  [ID, true],
  [` ${ID} `, true],
  [ID.slice(1), false],
  [`${ID}0`, false],
  ['', false],
])('%j has the form of a credential: %s', (value, expected) => {
  expect(looksLikeCredential(value)).toBe(expected);
});
