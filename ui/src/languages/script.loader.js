// Where the build's look-ups find the catalogue in use.
export { runtimeOf as getRuntime, runtimeOf as getRuntimeRx } from './language';
