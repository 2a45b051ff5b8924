import type { ProxyMode } from '../../bindings/ProxyMode';
import type { Setup } from '../../bindings/Setup';
import type { Session } from '../../session.svelte';

/** What is entered about PowerSchool, until it is saved. */
export class PowerSchoolForm {
  readonly #session: Session;
  /** The set-up that the form was filled from, or last saved as. */
  #base: Setup | undefined;
  url = $state('');
  clientId = $state('');
  /** Certificates (PEM) trusted besides the system's. */
  roots = $state<string[]>([]);
  /** The Client Secret as typed; empty leaves a stored one as it is. */
  secret = $state('');
  replacingSecret = $state(false);
  proxyMode = $state<ProxyMode>('system');
  proxyUrl = $state('');
  proxyUsername = $state('');
  /** The proxy's password as typed; empty leaves a stored one as it is. */
  proxyPassword = $state('');
  replacingProxyPassword = $state(false);

  constructor(session: Session) {
    this.#session = session;
    this.load();
  }

  get secretStored(): boolean {
    return this.#session.hasSecret('powerschool.client-secret');
  }

  get proxyPasswordStored(): boolean {
    return this.#session.hasSecret('proxy.password');
  }

  /** Whether there is something to test with. */
  get complete(): boolean {
    return this.url.trim() !== '' && this.clientId.trim() !== '' && (this.secretStored || this.secret.trim() !== '');
  }

  /** Takes over what the set-up says, and forgets typed secrets, after something else has changed it. */
  load(): void {
    this.#fill();
    this.secret = '';
    this.replacingSecret = false;
    this.proxyPassword = '';
    this.replacingProxyPassword = false;
  }

  #fill(): void {
    this.#base = this.#session.setup?.setup;
    const saved = this.#base?.powerschool;
    if (saved === undefined) return;
    this.url = saved.url;
    this.clientId = saved.client_id;
    this.roots = [...saved.extra_roots];
    this.proxyMode = saved.proxy.mode;
    this.proxyUrl = saved.proxy.url;
    this.proxyUsername = saved.proxy.username;
  }

  /** Puts a new secret in place of a stored one. */
  enterSecret(value: string): void {
    this.replacingSecret = this.secretStored;
    this.secret = value;
  }

  /** Throws a `Fault`. */
  async save(): Promise<boolean> {
    if (this.#session.setup === undefined) return false;
    const base = this.#base ?? this.#session.setup.setup;
    // Not the form's to change: it may have been written meanwhile.
    const { jobs, revision } = this.#session.setup.setup.powerschool.plugin;
    const wanted = this.#session.exchanges;
    const written = wanted.length === jobs.length && wanted.every((job) => jobs.includes(job));
    const entered: Setup = {
      ...base,
      powerschool: {
        ...base.powerschool,
        url: this.url.trim(),
        client_id: this.clientId.trim(),
        plugin: written ? { jobs, revision } : { jobs, wanted, revision },
        extra_roots: $state.snapshot(this.roots),
        proxy: { mode: this.proxyMode, url: this.proxyUrl.trim(), username: this.proxyUsername.trim() },
      },
    };
    if (await this.#session.saveSetup(entered, base)) this.#fill();
    else this.#base = entered;
    await this.#keepSecrets();
    return true;
  }

  /** Puts typed secrets into the keychain: those of what is saved. */
  async #keepSecrets(): Promise<void> {
    if (this.secret.trim() !== '') {
      await this.#session.setSecret('powerschool.client-secret', this.secret.trim());
      this.secret = '';
      this.replacingSecret = false;
    }
    if (this.proxyMode === 'explicit' && this.proxyPassword !== '') {
      await this.#session.setSecret('proxy.password', this.proxyPassword);
      this.proxyPassword = '';
      this.replacingProxyPassword = false;
    }
  }
}
