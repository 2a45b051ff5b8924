import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';
import { kindOfDragged, kindOfName } from './dropped.svelte';

const SETUP = JSON.stringify({ version: 1, powerschool: { url: 'https://ps.cedar.k12.us' } });

function transfer(...files: File[]) {
  const items = files.map(({ type }) => ({ kind: 'file', type }));
  return { dataTransfer: { types: ['Files'], items, files, dropEffect: 'none' } };
}

const file = (name: string, text: string, type = '') => new File([text], name, { type });

/** Over the page itself, beside every place that takes files. */
const drag = (...files: File[]) => fireEvent.dragOver(document.body, transfer(...files));
const drop = (...files: File[]) => fireEvent.drop(document.body, transfer(...files));

test('a file is known by its ending, and while it is dragged by its type', () => {
  expect(['a.rosterbridge', 'A.JSON', 'x.age', 'Plugin.xml', 'p.zip', 'b.csv', 'b.TXT', 'b.pdf', 'csv'].map(kindOfName)).toEqual([
    'setup', 'setup', 'setup', 'plugin', 'plugin', 'names', 'names', undefined, undefined,
  ]);
  const items = (...types: string[]) => types.map((type) => ({ kind: 'file', type })) as unknown as DataTransferItemList;
  expect(kindOfDragged(items('application/json'))).toBe('setup');
  expect(kindOfDragged(items('text/csv'))).toBe('names');
  expect(kindOfDragged(items(''))).toBeUndefined();
  expect(kindOfDragged(items('text/csv', 'text/csv'))).toBeUndefined();
});

describe('a file over the window', () => {
  test('is told what would become of it, until it is gone', async () => {
    open('scene=home&own');
    await byId('nav-home');
    await drag(file('north.json', SETUP, 'application/json'));
    expect((await byId('drop-layer')).textContent).toContain('Open this setup file');
    await drag(file('north.rosterbridge', SETUP));
    expect((await byId('drop-layer')).textContent).toContain('Drop the file to open it');
    await waitFor(async () => expect((await byId('drop-layer')).textContent?.trim()).toBe(''));
  });

  test('that is text and no file is left alone', async () => {
    open('scene=home&own');
    await byId('nav-home');
    await fireEvent.dragOver(document.body, { dataTransfer: { types: ['text/plain'], items: [], files: [] } });
    expect((await byId('drop-layer')).textContent?.trim()).toBe('');
  });
});

describe('a file that is dropped', () => {
  test('opens the import of a setup file, which imports nothing by itself', async () => {
    const user = open('scene=home&own');
    await byId('nav-home');
    await drop(file('north.rosterbridge', SETUP));
    expect((await byId('chosen-file')).textContent).toBe('north.rosterbridge');
    await user.click(await byId('import-setup'));
    await waitFor(() => expect(screen.queryByTestId('chosen-file')).toBeNull());
  });

  test('fills the import in that is open already', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-import'));
    await byId('field-setup-file');
    await drop(file('north.json', SETUP));
    expect((await byId('chosen-file')).textContent).toBe('north.json');
    expect(screen.getAllByTestId('import-setup')).toHaveLength(1);
  });

  test('leads to the check of a vendor’s plugin', async () => {
    open('scene=home&own');
    await byId('nav-home');
    await drop(file('Plugin.xml', '<plugin/>'));
    expect(await byId('plugin-check')).toBeTruthy();
    expect(screen.getAllByTestId('field-plugin-file')).toHaveLength(1);
  });

  test('of names asks what they are names of, and shows them there', async () => {
    const user = open('scene=home&own');
    await byId('nav-home');
    await drop(file('buildings.csv', 'Building\nCedar High\n'));
    await user.click(await byId('drop-buildings'));
    await waitFor(async () => expect(await byId('field-names')).toHaveProperty('value', 'Building\nCedar High\n'));
  });

  test('of names goes into the step that is shown', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-tardies'));
    await byId('tardy-row-0');
    await drop(file('reasons.csv', 'Reason\nOverslept\n'));
    await waitFor(async () => expect(await byId('field-names')).toHaveProperty('value', 'Reason\nOverslept\n'));
    expect(screen.queryByTestId('drop-buildings')).toBeNull();
  });

  test('and is good for nothing here is told so', async () => {
    open('scene=home&own');
    await byId('nav-home');
    await drop(file('letter.pdf', 'x'));
    expect((await byId('drop-useless')).textContent).toContain('letter.pdf');
  });

  test('with others is not guessed about', async () => {
    open('scene=home&own');
    await byId('nav-home');
    await drop(file('a.csv', 'x'), file('b.csv', 'x'));
    expect((await byId('drop-useless')).textContent).toContain('one file at a time');
  });
});
