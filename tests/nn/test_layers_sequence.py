"""Attention, transformers, embeddings, recurrent networks: what their definitions say of them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, no_grad, ops
from tests.one_line import one_line

RNG = np.random.default_rng(0)
inf = np.inf


def draw(*shape, **options):
    return Tensor(RNG.normal(size=shape).astype(np.float32), **options)


# ---- attention -----------------------------------------------------------------------------------

def test_a_query_takes_the_value_whose_key_fits_it():
    keys = np.eye(3)
    values = np.array([[1.0, 2], [3, 4], [5, 6]])
    y = ops.scaled_dot_product_attention(Tensor(100 * keys[[2, 0]]), Tensor(keys), Tensor(values))
    np.testing.assert_allclose(y.data, values[[2, 0]], atol=1e-12)


@pytest.mark.parametrize("mask", [np.array([[True, False], [False, False]]),
                                  np.array([[0.0, -inf], [-inf, -inf]], np.float32)])
def test_a_query_that_may_look_at_nothing_gives_zeros_and_no_nan(mask):
    q, k, v = (draw(2, 3, requires_grad=True) for _ in range(3))
    y = ops.scaled_dot_product_attention(q, k, v, Tensor(mask))
    np.testing.assert_allclose(y.data, [v.data[0], np.zeros(3)], rtol=1e-6)
    y.sum().backward()
    assert np.array_equal(v.grad.data, [np.ones(3), np.zeros(3)])
    assert not q.grad.data.any() and not k.grad.data.any()


def test_a_later_key_changes_nothing_in_causal_attention():
    q, k, v = draw(2, 4, 3), draw(2, 4, 3), draw(2, 4, 3)
    before = ops.scaled_dot_product_attention(q, k, v, is_causal=True).data.copy()
    k.data[:, 2:], v.data[:, 2:] = 9, -9
    after = ops.scaled_dot_product_attention(q, k, v, is_causal=True).data
    assert np.array_equal(before[:, :2], after[:, :2]) and not np.allclose(before, after)
    with one_line(RuntimeError, "is_causal"):
        ops.scaled_dot_product_attention(q, k, v, np.ones((4, 4), bool), is_causal=True)


def attention(**options):
    mg.manual_seed(0)
    return nn.MultiheadAttention(6, 2, **options)


def test_multihead_attention_is_attention_of_each_head():
    layer, x = attention(batch_first=True), draw(2, 5, 6)
    y, weights = layer(x, x, x)
    q, k, v = (part.data.reshape(2, 5, 2, 3).transpose(0, 2, 1, 3) for part in (
        ops.linear(x, layer.in_proj_weight[i:i + 6], layer.in_proj_bias[i:i + 6])
        for i in (0, 6, 12)))
    scores = np.exp(q @ k.swapaxes(-1, -2) / 3**0.5)
    each = scores / scores.sum(-1, keepdims=True)
    joined = (each @ v).transpose(0, 2, 1, 3).reshape(2, 5, 6)
    np.testing.assert_allclose(y.data, layer.out_proj(Tensor(joined)).data, atol=1e-5)
    np.testing.assert_allclose(weights.data, each.mean(1), atol=1e-6)
    by_head = layer(x, x, x, average_attn_weights=False)[1]
    np.testing.assert_allclose(by_head.data, each, atol=1e-6)
    quick, none = layer(x, x, x, need_weights=False)
    np.testing.assert_allclose(quick.data, y.data, atol=1e-6)
    assert none is None


def test_padded_keys_and_masked_scores_do_not_count():
    layer, x = attention(), draw(5, 2, 6)
    padding = np.zeros((2, 5), bool)
    padding[:, 3:] = True
    short, weights = layer(x, x[:3], x[:3])
    for need_weights in (True, False):
        padded, _ = layer(x, x, x, Tensor(padding), need_weights)
        masked, _ = layer(x, x, x, None, need_weights, Tensor(np.repeat(padding[:1], 5, 0)))
        np.testing.assert_allclose(padded.data, short.data, atol=1e-6)
        np.testing.assert_allclose(masked.data, short.data, atol=1e-6)
    assert weights.shape == (2, 5, 3)


def test_the_axes_of_attention():
    layer = attention(kdim=4, vdim=3, bias=False)
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "q_proj_weight": (6, 6), "k_proj_weight": (6, 4), "v_proj_weight": (6, 3),
        "out_proj.weight": (6, 6)}
    q, k, v = draw(5, 2, 6), draw(4, 2, 4), draw(4, 2, 3)
    y, weights = layer(q, k, v)
    alone, weight = layer(q[:, 0], k[:, 0], v[:, 0])
    assert y.shape == (5, 2, 6) and weights.shape == (2, 5, 4)
    np.testing.assert_allclose(alone.data, y.data[:, 0], atol=1e-6)
    np.testing.assert_allclose(weight.data, weights.data[0], atol=1e-6)


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.MultiheadAttention(6, 4), ValueError, ["num_heads=4", "embed_dim=6"]),
    (lambda: nn.MultiheadAttention(6, 2, add_bias_kv=True), ValueError, ["add_bias_kv"]),
    (lambda: attention()(draw(2, 6), draw(2, 1, 6), draw(2, 1, 6)), RuntimeError, ["(2, 1, 6)"]),
    (lambda: attention()(*[draw(2, 1, 6)] * 3, attn_mask=np.ones((3, 2), bool)), RuntimeError,
     ["attn_mask", "(3, 2)", "(2, 2)"]),
    (lambda: attention()(*[draw(2, 1, 6)] * 3, key_padding_mask=np.ones((2, 2), bool)),
     RuntimeError, ["key_padding_mask", "(2, 2)", "(1, 2)"]),
    (lambda: attention()(*[draw(2, 1, 6)] * 3, is_causal=True), RuntimeError, ["attn_mask"]),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), RuntimeError, ["'tanh'"])])
def test_what_does_not_fit_is_named(call, error, words):
    with one_line(error, *words):
        call()


# ---- transformers --------------------------------------------------------------------------------

def test_the_layers_of_a_transformer_start_alike_and_are_their_own():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2, nn.LayerNorm(4))
    first, second = (layer.linear1.weight for layer in encoder.layers)
    assert np.array_equal(first.data, second.data) and first is not second
    assert "layers.1.self_attn.in_proj_weight" in encoder.state_dict()


def test_a_causal_transformer_does_not_see_what_comes_later():
    mg.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2).eval()
    mask = np.triu(np.full((3, 3), -inf, np.float32), 1)
    x = draw(2, 3, 4)
    before = model(x, mask, is_causal=True).data
    x.data[:, 2] = 7
    after = model(x, mask).data
    np.testing.assert_allclose(before[:, :2], after[:, :2], atol=1e-6)
    assert not np.allclose(before[:, 2], after[:, 2])


def test_a_transformer_learns_to_repeat():
    mg.manual_seed(0)
    table = nn.Embedding(5, 8)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 1)
    out = nn.Linear(8, 5)
    optimizer = mg.optim.Adam([*table.parameters(), *model.parameters(), *out.parameters()], 0.01)
    words = np.random.default_rng(0).integers(0, 5, (16, 6))
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = ops.cross_entropy(out(model(table(words))).reshape(-1, 5), words.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1.4 and losses[-1] < 0.2


# ---- embeddings ----------------------------------------------------------------------------------

def test_an_embedding_gives_rows_and_gradients_but_for_the_padding():
    table = nn.Embedding(4, 2, padding_idx=-1)
    assert not table.weight.data[3].any() and table.padding_idx == 3
    words = Tensor(np.array([[0, 3], [0, 1]]))
    y = table(words)
    assert np.array_equal(y.data, table.weight.data[words.data])
    y.sum().backward()
    assert table.weight.grad.data.tolist() == [[2, 2], [1, 1], [0, 0], [0, 0]]
    words.data[:] = 2      # no longer matters
    (g,) = mg.grad(ops.embedding(np.array([3, 1]), table.weight * table.weight, 3).sum(),
                   [table.weight], create_graph=True)
    (again,) = mg.grad(g.sum(), [table.weight])
    assert again.data.tolist() == [[0, 0], [2, 2], [0, 0], [0, 0]]


def test_pretrained_rows_are_shared():
    rows = draw(3, 2)
    table = nn.Embedding.from_pretrained(rows)
    assert np.shares_memory(table.weight.data, rows.data) and not table.weight.requires_grad
    assert nn.Embedding.from_pretrained(rows, freeze=False).weight.requires_grad


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.Embedding(3, 2)(np.array([0, 3])), IndexError, ["0 to 2", "0 to 3"]),
    (lambda: nn.Embedding(3, 2)(np.array([-1])), IndexError, ["-1"]),
    (lambda: nn.Embedding(3, 2)(np.array([0.0])), RuntimeError, ["float64"]),
    (lambda: nn.Embedding(3, 2, 3), IndexError, ["padding_idx 3"]),
    (lambda: nn.Embedding(3, 2, max_norm=1.0), ValueError, ["max_norm"])])
def test_numbers_without_a_row_are_named(call, error, words):
    with one_line(error, *words):
        call()


# ---- recurrent networks --------------------------------------------------------------------------

@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_axes_of_recurrent_layers(layer):
    mg.manual_seed(0)
    network = layer(3, 4, num_layers=2, bidirectional=True).eval()
    x = draw(5, 2, 3)
    y, last = network(x)
    h = last[0] if isinstance(last, tuple) else last
    assert y.shape == (5, 2, 8) and h.shape == (4, 2, 4)
    np.testing.assert_array_equal(h.data[2:], [y.data[-1, :, :4], y.data[0, :, 4:]])
    network.batch_first = True
    np.testing.assert_array_equal(network(x.transpose(0, 1))[0].data, y.data.swapaxes(0, 1))
    network.batch_first = False
    np.testing.assert_allclose(network(x[:, 0])[0].data, y.data[:, 0], atol=1e-6)


def test_gates_by_hand():
    """One number in, one number out, all weights 1 and all biases 0."""
    x, h = np.float32(0.5), np.float32(0.25)
    s = 1 / (1 + np.exp(-0.75))
    lstm, gru, rnn = nn.LSTM(1, 1), nn.GRU(1, 1), nn.RNN(1, 1, nonlinearity="relu")
    for layer in (lstm, gru, rnn):
        with no_grad():
            for name, p in layer.named_parameters():
                p[...] = float(name.startswith("weight"))
    c = s * 0.1 + s * np.tanh(0.75)
    y, (new, cell) = lstm(Tensor([[x]]), (Tensor([[h]]), Tensor([[np.float32(0.1)]])))
    np.testing.assert_allclose([new.item(), cell.item()], [s * np.tanh(c), c], rtol=1e-6)
    assert y.item() == new.item()
    n = np.tanh(0.5 + s * 0.25)
    np.testing.assert_allclose(gru(Tensor([[x]]), Tensor([[h]]))[0].item(),
                               (1 - s) * n + s * 0.25, 1e-6)
    assert rnn(Tensor([[-x]]), Tensor([[h]]))[0].item() == 0
    assert rnn(Tensor([[x]]))[0].item() == 0.5


def test_second_derivatives_go_through_recurrent_layers():
    for layer in (nn.LSTM, nn.GRU):
        mg.manual_seed(0)
        network = layer(2, 2).to("float64")
        x = RNG.normal(size=(3, 1, 2))
        assert mg.gradcheck(lambda x: network(x)[0], [x])
        assert mg.gradgradcheck(lambda x: network(x)[0], [x])


def test_dropout_lies_between_the_layers():
    mg.manual_seed(0)
    network, x = nn.GRU(3, 4, num_layers=2, dropout=1.0), draw(5, 2, 3)
    lower, upper = network(x)[1].data
    assert not np.allclose(lower, network.eval()(x)[1].data[1])
    alone = nn.GRU(4, 4)
    alone.load_state_dict({name[:-1] + "0": value for name, value in network.state_dict().items()
                           if name.endswith("l1")})
    np.testing.assert_allclose(alone(Tensor(np.zeros((5, 2, 4), np.float32)))[1].data[0], upper,
                               atol=1e-6)


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.LSTM(3, 4)(draw(0, 2, 3)), RuntimeError, ["(0, 2, 3)"]),
    (lambda: nn.LSTM(3, 4)(draw(5, 2, 3), (draw(1, 2, 4), draw(1, 1, 4))), RuntimeError,
     ["(1, 1, 4)", "(1, 2, 4)"]),
    (lambda: nn.GRU(3, 4)(draw(5, 3), draw(2, 4)), RuntimeError, ["(2, 1, 4)", "(1, 1, 4)"]),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, ["'sin'"]),
    (lambda: nn.LSTM(3, 4, proj_size=2), ValueError, ["proj_size"]),
    (lambda: nn.GRU(0, 4), ValueError, ["input_size", "0"])])
def test_sequences_and_states_that_do_not_fit_are_named(call, error, words):
    with one_line(error, *words):
        call()
