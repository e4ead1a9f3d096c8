/** `fairlead/undici`: undici dispatchers whose URLs name services. */
export {};
