export { faultProxy, type FaultProxy, type FaultProxyOptions } from '../testing/fault-proxy.js';
