type OneTo4 = 1 | 2 | 3 | 4;
type OneTo6 = OneTo4 | 5 | 6;
type OneTo8 = OneTo6 | 7 | 8;
type OneTo9 = OneTo8 | 9;

/**
 * The number of a conformance case.
 *
 * @see conformance
 */
export type CaseId =
  | `SRC-0${OneTo6}`
  | `CRD-0${OneTo9}`
  | `CRD-1${0 | 1 | 2}`
  | `ACK-0${OneTo9}`
  | `ACK-1${0 | 1 | 2 | 3}`
  | `DEL-0${OneTo9}`
  | `DEL-1${0 | 1}`
  | `REC-0${OneTo9}`
  | `REC-1${0 | 1 | 2}`
  | `SHU-0${OneTo8}`
  | `SNK-0${OneTo9}`
  | `RPC-0${OneTo8}`
  | `ERR-0${OneTo6}`
  | `SEC-0${1 | 2}`
  | `RES-0${1 | 2 | 3}`
  | `OBS-0${OneTo4}`;
