import { expect, test } from 'vitest';
import { FILE_LIMIT, base64Of, looseTextOf, readFile, textOf } from './file';

test('a file is read whole, as text and in Base64', async () => {
  const taken = await readFile(new File(['<plugin/> é'], 'plugin.xml'));
  expect(textOf(taken)).toBe('<plugin/> é');
  expect(base64Of(taken)).toBe('PHBsdWdpbi8+IMOp');
});

test('a large file keeps every byte in Base64', async () => {
  const bytes = Uint8Array.from({ length: 100_001 }, (_, index) => index % 256);
  const taken = await readFile(new File([bytes], 'plugin.zip'));
  expect(Uint8Array.from(atob(base64Of(taken)), (letter) => letter.charCodeAt(0))).toEqual(bytes);
});

test.each([
  ['district.zip', /rosterbridge plugin check FILE\.$/],
  ['district.age', /^Choose the file itself/],
])('a file over the limit is refused with its size: %s', async (name, remedy) => {
  const file = new File(['x'], name);
  Object.defineProperty(file, 'size', { value: FILE_LIMIT + 4_000_000 });
  await expect(readFile(file)).rejects.toMatchObject({
    code: 'window.file_too_large',
    message: `${name} has 12.0 MB; at most 8.0 MB are taken.`,
    remedy: expect.stringMatching(remedy) as string,
  });
});

test.each([
  ['UTF-8', [0x53, 0xc3, 0xa9]],
  ['UTF-8 with its mark', [0xef, 0xbb, 0xbf, 0x53, 0xc3, 0xa9]],
  ['UTF-16, little end first', [0xff, 0xfe, 0x53, 0x00, 0xe9, 0x00]],
  ['UTF-16, big end first', [0xfe, 0xff, 0x00, 0x53, 0x00, 0xe9]],
  ['windows-1252', [0x53, 0xe9]],
])('a list saved as %s is read', (_, bytes) => {
  expect(looseTextOf({ name: 'buildings.csv', bytes: Uint8Array.from(bytes) })).toBe('Sé');
});
