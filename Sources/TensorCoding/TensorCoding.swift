// TensorCoding
