import type { Fault } from '../bindings/Fault';

const OWN = new WeakSet<object>();

/** A fault the window itself tells of: its sentences are in the window's language. */
export function ownFault(code: string, message: string, remedy: string): Fault {
  const fault = { code, message, remedy };
  OWN.add(fault);
  return fault;
}

/** Whether the window itself told of it, and not the engine, which speaks English only. */
export function isOwn(fault: object): boolean {
  return OWN.has(fault);
}
