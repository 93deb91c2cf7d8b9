import type { Observable } from 'rxjs';
import type { Status } from '../observability/status.js';
import type { Flow, Sink } from './flow.js';

/**
 * Both directions of one connection.
 *
 * @see Flow
 * @see Sink
 */
export interface Duplex<I, O> {
  /** What comes in. Each subscription is a consumer of its own. */
  readonly source: Flow<I>;
  /** What goes out. Completing it ends this direction alone. */
  readonly sink: Sink<O>;
  readonly status$: Observable<Status>;
}
