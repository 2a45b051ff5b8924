import { ownFault } from '../backend/own';
import { size } from '../text/format';
import { say } from '../text/say';

/** The largest file that is taken: 8 MB. What is opened here has some kilobytes. */
export const FILE_LIMIT = 8_000_000;

/** A file a person chose, read whole. */
export interface TakenFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Reads a file. Throws a `Fault` when it is too large or can't be read; nothing of a too large one is read. */
export async function readFile(file: File): Promise<TakenFile> {
  if (file.size > FILE_LIMIT) {
    const fault = ownFault(
      'window.file_too_large',
      say(`${file.name} has ${size(file.size)}; at most ${size(FILE_LIMIT)} are taken.`),
      isArchive(file.name)
        ? say('A plugin as large as that is checked on the command line: rosterbridge plugin check FILE.')
        : say('Choose the file itself, not an archive or a picture of it.'),
    );
    throw fault;
  }
  try {
    return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
  } catch {
    const fault = ownFault(
      'window.file_unreadable',
      say(`${file.name} could not be read.`),
      say('Check that it is a file, still where it was, and that you may open it.'),
    );
    throw fault;
  }
}

function isArchive(name: string): boolean {
  return name.toLowerCase().endsWith('.zip');
}

/** As text; bytes that are no UTF-8 are shown as such, and whatever reads the text refuses them. */
export function textOf(file: TakenFile): string {
  return new TextDecoder().decode(file.bytes);
}

/**
 * As text, whatever a spreadsheet saved it as: UTF-8, UTF-16 with its mark, or else windows-1252, in which every byte
 * is a character.
 */
export function looseTextOf({ bytes }: TakenFile): string {
  for (const [mark, encoding] of [
    [[0xff, 0xfe], 'utf-16le'],
    [[0xfe, 0xff], 'utf-16be'],
  ] as const) {
    if (bytes[0] === mark[0] && bytes[1] === mark[1]) return new TextDecoder(encoding).decode(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** In Base64, in pieces: a call takes only so many arguments. */
export function base64Of(file: TakenFile): string {
  const PIECE = 0x8000;
  let binary = '';
  for (let start = 0; start < file.bytes.length; start += PIECE) {
    binary += String.fromCharCode(...file.bytes.subarray(start, start + PIECE));
  }
  return btoa(binary);
}
