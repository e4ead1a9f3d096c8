/** `fairlead/grpc`: a resolver for @grpc/grpc-js. */
export {};
