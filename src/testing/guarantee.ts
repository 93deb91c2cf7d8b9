import { called, checkArgument } from '../connection/options.js';
import type { Features } from './features.js';

const FEATURES = called('the features of a connector, at least ack', 'ack');

/**
 * What a connector's features amount to for one message. `at least once`: what is not acked comes again; `exactly once`:
 * and nothing twice, where its transactions are used; `at most once`: what breaks on its way is gone.
 *
 * @see conformance
 */
export type Guarantee = 'at most once' | 'at least once' | 'exactly once';

/**
 * The guarantee that features promise. A connector whose far side hears of no settlement, or forgets what it delivered,
 * delivers at most once, whatever else it can do.
 *
 * @example
 * import { guaranteeOf } from 'sluice/testing';
 * guaranteeOf({ ack: 'none', confirms: 'local', flowControl: 'pause', headers: 'none' }); // 'at most once'
 * @throws SluiceError `CONFIG_INVALID` for what are no features
 * @see Features
 */
export function guaranteeOf(features: Features): Guarantee {
  checkArgument('guaranteeOf', 'features', features, FEATURES);
  if (features.exactlyOnce === true) return 'exactly once';
  return features.ack === 'manual' ? 'at least once' : 'at most once';
}
