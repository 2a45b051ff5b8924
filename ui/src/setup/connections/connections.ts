/** The managed connections of a set-up: who uses which, and whether its server is known. */

import type { AcceptedHostKey } from '../../bindings/AcceptedHostKey';
import type { ConnectionId } from '../../bindings/ConnectionId';
import type { JobId } from '../../bindings/JobId';
import type { ManagedConnection } from '../../bindings/ManagedConnection';
import type { Setup } from '../../bindings/Setup';
import type { SetupView } from '../../bindings/SetupView';
import { accountName } from '../../text/jobs';
import { accountOf } from '../../text/names';

export function connectionOf(setup: Setup, id: ConnectionId | undefined): ManagedConnection | undefined {
  return setup.connections.find((connection) => connection.id === id);
}

/** The host keys that were accepted for a connection's server. */
export function acceptedKeys(view: SetupView | undefined, id: ConnectionId): AcceptedHostKey[] {
  return view?.host_keys[id] ?? [];
}

/** The connections that Hero's accounts use, each once. */
export function heroConnections({ hero }: Setup): ConnectionId[] {
  return [...new Set(hero.accounts.map(({ connection }) => connection))];
}

/** Whether the server that an exchange with Hero goes to is known: nothing is sent to one that is not. */
export function serverKnown(view: SetupView, job: JobId): boolean {
  const account = view.setup.hero.accounts.find(({ id }) => id === accountOf(job));
  return account !== undefined && acceptedKeys(view, account.connection).length > 0;
}

/** The connections of Hero's accounts whose server nobody has accepted yet. */
export function unknownServers(view: SetupView): ConnectionId[] {
  return heroConnections(view.setup).filter((id) => acceptedKeys(view, id).length === 0);
}

/** The accounts of Hero that use a connection, in the words of the list. */
export function heroUsers({ hero }: Setup, id: ConnectionId): string[] {
  const accounts = hero.accounts.filter(({ connection }) => connection === id);
  return accounts.map((account) => (hero.accounts.length === 1 ? 'Hero' : `Hero: ${accountName(account)}`));
}

/** Who uses a connection, in the words of the list. */
export function users(setup: Setup, id: ConnectionId): string[] {
  return [...heroUsers(setup, id), ...(setup.raptor.connection?.connection === id ? ['Raptor'] : [])];
}

/** The set-up with a connection changed, or added at the end. */
export function withConnection(setup: Setup, connection: ManagedConnection): Setup {
  const known = setup.connections.some(({ id }) => id === connection.id);
  return {
    ...setup,
    connections: known
      ? setup.connections.map((other) => (other.id === connection.id ? connection : other))
      : [...setup.connections, connection],
  };
}

/** A server's name as the address takes it: without `sftp://` and what may stand behind it. */
export function bareHost(host: string): string {
  return host.trim().replace(/^sftp:\/\//i, '').replace(/\/+$/, '');
}

/** A set-up without a managed connection. */
export function withoutConnection(setup: Setup | undefined, id: ConnectionId): Setup | undefined {
  return setup && { ...setup, connections: setup.connections.filter((connection) => connection.id !== id) };
}
