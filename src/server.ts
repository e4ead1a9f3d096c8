/** `fairlead/server`: what a service says of itself, for clients that balance by it. */
export {};
