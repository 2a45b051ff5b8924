import { byId, open, type User } from '../test-window';

/** A new district at its buildings, once their names were read. */
export async function buildings(query = '') {
  const user = open(`scene=new&own${query}`);
  await user.click(await byId('welcome-district'));
  await user.click(await byId('step-buildings'));
  await byId('use-suggestions');
  return user;
}

/** What has to be done before the integration can be submitted. */
export async function map(user: User) {
  for (const name of ['client', 'plugin', 'credentials']) await user.click(await byId(`prerequisite-${name}`));
  await user.type(await byId('field-raptor-folder'), '/srv/raptor');
  await user.click(await byId('use-suggestions'));
}

/** "true" or "false", of a switch as of a choice. */
export async function checked(id: string) {
  const control = await byId(id);
  return control.getAttribute('aria-checked') ?? String((control as HTMLInputElement).checked);
}
