type OneTo6 = 1 | 2 | 3 | 4 | 5 | 6;
type OneTo9 = OneTo6 | 7 | 8 | 9;

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
  | `DEL-0${OneTo6}`
  | `REC-0${OneTo6}`
  | 'SHU-01'
  | 'SHU-02'
  | 'SHU-08';
