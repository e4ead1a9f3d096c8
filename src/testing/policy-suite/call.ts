/** What a call asks for. */
export interface Call {
  readonly excluded?: readonly string[];
  readonly hashKey?: string | undefined;
}
