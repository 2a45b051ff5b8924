/** What a person can do next when a stage of PowerSchool's test has failed, by the code it failed with. */
export type NextStep = 'certificate' | 'plugin' | 'credentials' | 'wait' | 'address' | 'proxy';

export function nextStep(code: string): NextStep | undefined {
  switch (code) {
    case 'powerschool.unknown_authority':
      return 'certificate';
    case 'powerschool.no_access':
    case 'powerschool.no_queries':
      return 'plugin';
    case 'powerschool.bad_credentials':
    case 'powerschool.credentials_replaced':
    case 'powerschool.credentials_swapped':
    case 'powerschool.bad_client_id':
    case 'powerschool.bad_client_secret':
      return 'credentials';
    case 'powerschool.dns':
    case 'powerschool.unreachable':
    case 'powerschool.timeout':
    case 'powerschool.maintenance':
    case 'powerschool.busy':
    case 'powerschool.interrupted':
      return 'wait';
    case 'powerschool.bad_url':
    case 'powerschool.http_refused':
    case 'powerschool.wrong_scheme':
    case 'powerschool.not_powerschool':
      return 'address';
    case 'powerschool.proxy_pac':
    case 'powerschool.proxy_ntlm':
    case 'powerschool.proxy_credentials':
    case 'powerschool.proxy_unreachable':
    case 'powerschool.proxy_timeout':
    case 'powerschool.proxy_refused':
    case 'powerschool.bad_proxy':
      return 'proxy';
    default:
      return undefined;
  }
}
