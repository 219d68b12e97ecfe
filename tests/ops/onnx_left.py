"""What of the mapped operators is not run, by the reason: what is raised, and the tests' names.

    LEFT[exception, part of its message] = names of tests
"""

from tests.ops.onnx_moves import NotOffered

MAPPED = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitShift
BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Clip Compress Concat Constant
ConstantOfShape Conv ConvTranspose Cos Cosh CumProd CumSum DepthToSpace Div Dropout Einsum Elu Equal
Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm GlobalAveragePool GlobalMaxPool
Greater GreaterOrEqual HardSigmoid Hardmax Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log
LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg NegativeLogLikelihoodLoss NonZero Not OneHot
Or PRelu Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Scatter ScatterElements
ScatterND Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus
Softsign Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze
Where Xor
"""

LEFT = {
    (NotOffered, "a dtype that minigrad does not have"): """
        cast_FLOAT_to_FLOAT8E4M3FN cast_FLOAT16_to_FLOAT8E4M3FN cast_FLOAT_to_FLOAT8E4M3FNUZ
        cast_FLOAT16_to_FLOAT8E4M3FNUZ cast_FLOAT8E4M3FN_to_FLOAT cast_FLOAT8E4M3FN_to_FLOAT16
        cast_FLOAT8E4M3FNUZ_to_FLOAT cast_FLOAT8E4M3FNUZ_to_FLOAT16 cast_FLOAT_to_FLOAT8E5M2
        cast_FLOAT16_to_FLOAT8E5M2 cast_FLOAT_to_FLOAT8E5M2FNUZ cast_FLOAT16_to_FLOAT8E5M2FNUZ
        cast_FLOAT8E5M2_to_FLOAT cast_FLOAT8E5M2_to_FLOAT16 cast_FLOAT8E5M2FNUZ_to_FLOAT
        cast_FLOAT8E5M2FNUZ_to_FLOAT16 cast_FLOAT_to_UINT4 cast_FLOAT16_to_UINT4
        cast_FLOAT_to_INT4 cast_FLOAT16_to_INT4 cast_UINT4_to_FLOAT cast_UINT4_to_FLOAT16
        cast_UINT4_to_UINT8 cast_INT4_to_FLOAT cast_INT4_to_FLOAT16 cast_INT4_to_INT8
        cast_FLOAT4E2M1_to_FLOAT cast_FLOAT4E2M1_to_FLOAT16 cast_FLOAT_to_FLOAT4E2M1
        cast_FLOAT16_to_FLOAT4E2M1 cast_FLOAT_to_UINT2 cast_FLOAT16_to_UINT2 cast_FLOAT_to_INT2
        cast_FLOAT16_to_INT2 cast_UINT2_to_FLOAT cast_UINT2_to_FLOAT16 cast_UINT2_to_UINT8
        cast_INT2_to_FLOAT cast_INT2_to_FLOAT16 cast_INT2_to_INT8
        cast_no_saturate_FLOAT_to_FLOAT8E4M3FN cast_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        cast_no_saturate_FLOAT_to_FLOAT8E5M2 cast_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        cast_no_saturate_FLOAT16_to_FLOAT8E4M3FN cast_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        cast_no_saturate_FLOAT16_to_FLOAT8E5M2 cast_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        cast_e8m0_FLOAT_to_FLOAT8E8M0 cast_e8m0_FLOAT16_to_FLOAT8E8M0
        cast_e8m0_FLOAT8E8M0_to_FLOAT cast_e8m0_FLOAT8E8M0_to_FLOAT16
        castlike_FLOAT_to_FLOAT8E4M3FN castlike_FLOAT_to_FLOAT8E4M3FN_expanded
        castlike_FLOAT16_to_FLOAT8E4M3FN castlike_FLOAT16_to_FLOAT8E4M3FN_expanded
        castlike_FLOAT_to_FLOAT8E4M3FNUZ castlike_FLOAT_to_FLOAT8E4M3FNUZ_expanded
        castlike_FLOAT16_to_FLOAT8E4M3FNUZ castlike_FLOAT16_to_FLOAT8E4M3FNUZ_expanded
        castlike_FLOAT8E4M3FN_to_FLOAT castlike_FLOAT8E4M3FN_to_FLOAT_expanded
        castlike_FLOAT8E4M3FN_to_FLOAT16 castlike_FLOAT8E4M3FN_to_FLOAT16_expanded
        castlike_FLOAT8E4M3FNUZ_to_FLOAT castlike_FLOAT8E4M3FNUZ_to_FLOAT_expanded
        castlike_FLOAT8E4M3FNUZ_to_FLOAT16 castlike_FLOAT8E4M3FNUZ_to_FLOAT16_expanded
        castlike_FLOAT_to_FLOAT8E5M2 castlike_FLOAT_to_FLOAT8E5M2_expanded
        castlike_FLOAT16_to_FLOAT8E5M2 castlike_FLOAT16_to_FLOAT8E5M2_expanded
        castlike_FLOAT_to_FLOAT8E5M2FNUZ castlike_FLOAT_to_FLOAT8E5M2FNUZ_expanded
        castlike_FLOAT16_to_FLOAT8E5M2FNUZ castlike_FLOAT16_to_FLOAT8E5M2FNUZ_expanded
        castlike_FLOAT8E5M2_to_FLOAT castlike_FLOAT8E5M2_to_FLOAT_expanded
        castlike_FLOAT8E5M2_to_FLOAT16 castlike_FLOAT8E5M2_to_FLOAT16_expanded
        castlike_FLOAT8E5M2FNUZ_to_FLOAT castlike_FLOAT8E5M2FNUZ_to_FLOAT_expanded
        castlike_FLOAT8E5M2FNUZ_to_FLOAT16 castlike_FLOAT8E5M2FNUZ_to_FLOAT16_expanded
        castlike_FLOAT_to_UINT4 castlike_FLOAT_to_UINT4_expanded castlike_FLOAT16_to_UINT4
        castlike_FLOAT16_to_UINT4_expanded castlike_FLOAT_to_INT4
        castlike_FLOAT_to_INT4_expanded castlike_FLOAT16_to_INT4
        castlike_FLOAT16_to_INT4_expanded castlike_UINT4_to_FLOAT
        castlike_UINT4_to_FLOAT_expanded castlike_UINT4_to_FLOAT16
        castlike_UINT4_to_FLOAT16_expanded castlike_UINT4_to_UINT8
        castlike_UINT4_to_UINT8_expanded castlike_INT4_to_FLOAT castlike_INT4_to_FLOAT_expanded
        castlike_INT4_to_FLOAT16 castlike_INT4_to_FLOAT16_expanded castlike_INT4_to_INT8
        castlike_INT4_to_INT8_expanded castlike_FLOAT4E2M1_to_FLOAT
        castlike_FLOAT4E2M1_to_FLOAT_expanded castlike_FLOAT4E2M1_to_FLOAT16
        castlike_FLOAT4E2M1_to_FLOAT16_expanded castlike_FLOAT_to_FLOAT4E2M1
        castlike_FLOAT_to_FLOAT4E2M1_expanded castlike_FLOAT16_to_FLOAT4E2M1
        castlike_FLOAT16_to_FLOAT4E2M1_expanded castlike_FLOAT_to_UINT2
        castlike_FLOAT_to_UINT2_expanded castlike_FLOAT16_to_UINT2
        castlike_FLOAT16_to_UINT2_expanded castlike_FLOAT_to_INT2
        castlike_FLOAT_to_INT2_expanded castlike_FLOAT16_to_INT2
        castlike_FLOAT16_to_INT2_expanded castlike_UINT2_to_FLOAT
        castlike_UINT2_to_FLOAT_expanded castlike_UINT2_to_FLOAT16
        castlike_UINT2_to_FLOAT16_expanded castlike_UINT2_to_UINT8
        castlike_UINT2_to_UINT8_expanded castlike_INT2_to_FLOAT castlike_INT2_to_FLOAT_expanded
        castlike_INT2_to_FLOAT16 castlike_INT2_to_FLOAT16_expanded castlike_INT2_to_INT8
        castlike_INT2_to_INT8_expanded castlike_no_saturate_FLOAT_to_FLOAT8E4M3FN
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FN_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FN
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FN_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ_expanded equal_string
        equal_string_broadcast""".split(),
    (NotOffered, "windows over other than two axes"): """
        averagepool_1d_default averagepool_3d_default causal_conv_with_state_basic_expanded
        causal_conv_with_state_with_bias_expanded
        causal_conv_with_state_with_past_state_expanded causal_conv_with_state_silu_expanded
        causal_conv_with_state_swish_alias_expanded causal_conv_with_state_decode_step_expanded
        causal_conv_with_state_kernel_size_one_expanded
        causal_conv_with_state_with_bias_and_past_state_expanded
        causal_conv_with_state_silu_with_past_state_expanded
        causal_conv_with_state_b1_c1_degenerate_expanded
        causal_conv_with_state_short_input_no_past_state_expanded
        causal_conv_with_state_fp16_expanded causal_conv_with_state_silu_fp16_expanded
        convtranspose_1d convtranspose_3d maxpool_1d_default maxpool_3d_default
        maxpool_3d_dilations maxpool_3d_dilations_use_ref_impl
        maxpool_3d_dilations_use_ref_impl_large""".split(),
    (NotOffered, "the last of equal elements"): """
        argmax_no_keepdims_example_select_last_index argmax_no_keepdims_random_select_last_index
        argmax_keepdims_example_select_last_index argmax_keepdims_random_select_last_index
        argmax_default_axis_example_select_last_index
        argmax_default_axis_random_select_last_index
        argmax_negative_axis_keepdims_example_select_last_index
        argmax_negative_axis_keepdims_random_select_last_index
        argmin_no_keepdims_example_select_last_index argmin_no_keepdims_random_select_last_index
        argmin_keepdims_example_select_last_index argmin_keepdims_random_select_last_index
        argmin_default_axis_example_select_last_index
        argmin_default_axis_random_select_last_index
        argmin_negative_axis_keepdims_example_select_last_index
        argmin_negative_axis_keepdims_random_select_last_index""".split(),
    (NotOffered, "scattered elements that add up"): """
        scatter_elements_with_reduction_mul scatter_elements_with_reduction_max
        scatter_elements_with_reduction_min scatternd_add scatternd_multiply scatternd_max
        scatternd_min scatternd_max_with_element_indices
        scatternd_min_with_element_indices""".split(),
    (NotOffered, "ranges of floating-point numbers"): """
        blackmanwindow_expanded blackmanwindow_symmetric_expanded hammingwindow_expanded
        hammingwindow_symmetric_expanded hannwindow_expanded hannwindow_symmetric_expanded
        range_float_type_positive_delta range_float16_type_positive_delta
        range_bfloat16_type_positive_delta""".split(),
    (NotOffered, "split into a number of parts that the node does not name"): """
        split_equal_parts_1d_opset13 split_equal_parts_2d_opset13
        split_equal_parts_default_axis_opset13""".split(),
    (NotOffered, "means of dilated windows"): """
        averagepool_2d_dilations averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False""".split(),
    (NotOffered, "padding by the name SAME_UPPER"): """
        averagepool_2d_precomputed_same_upper averagepool_2d_same_upper
        maxpool_2d_precomputed_same_upper maxpool_2d_same_upper""".split(),
    (NotOffered, "dropout in training: the mask depends on the generator"): """
        training_dropout_default training_dropout_default_mask training_dropout
        training_dropout_mask""".split(),
    (NotOffered, "padding by the name SAME_LOWER"): """
        averagepool_2d_same_lower conv_with_autopad_same maxpool_2d_same_lower""".split(),
    (NotOffered, "padding that follows from the output's size"): """
        convtranspose_output_shape convtranspose_kernel_shape convtranspose_autopad_same""".split(),
    (NotOffered, "running statistics by ONNX's convention"): """
        batchnorm_example_training_mode batchnorm_epsilon_training_mode""".split(),
    (NotOffered, "sequences and optional values"): """
        identity_sequence identity_opt""".split(),
    (NotOffered, "indices for each member of a batch"): """
        gathernd_example_int32_batch_dim1""".split(),
    (NotOffered, "places counted down the columns"): """
        maxpool_with_argmax_2d_precomputed_strides""".split(),
    # The rest is refused by minigrad itself: windows that may lie in the padding alone and the
    # largest of no elements, as by PyTorch, and integers to be pooled.
    (ValueError, "avg_pool2d: padding must be at most half of kernel_size"): """
        averagepool_2d_pads averagepool_2d_pads_count_include_pad""".split(),
    (IndexError, "amax: dim 1 of shape (2, 0, 4) has no elements"): """
        reduce_max_empty_set reduce_max_empty_set_bool""".split(),
    (TypeError, "max_pool2d: needs a floating-point input"): """
        maxpool_2d_uint8""".split(),
    (ValueError, "max_pool2d: padding must be at most half of kernel_size"): """
        maxpool_2d_pads""".split(),
    (IndexError, "amin: dim 1 of shape (2, 0, 4) has no elements"): """
        reduce_min_empty_set""".split(),
}

LEFT = {key: [f"test_{name}" for name in names] for key, names in LEFT.items()}
