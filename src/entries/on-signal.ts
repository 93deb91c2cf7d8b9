export { onSignal, type OnSignalOptions, type Stoppable, type StopSignal } from '../runtime/on-signal.js';
